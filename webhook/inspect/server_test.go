package inspect

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

func TestSettingsOf(t *testing.T) {
	deployment := &appsv1.Deployment{}
	deployment.Annotations = map[string]string{releaseAnnotation: "tuning"}
	deployment.Spec.Template.Labels = map[string]string{VersionLabel: "v1"}
	deployment.Spec.Template.Spec = corev1.PodSpec{
		Volumes: []corev1.Volume{{Name: "tls",
			VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "own"}}}},
		Containers: []corev1.Container{{Args: []string{
			"serve", "--init-image=example.com/busybox:1", "--guest-handlers=",
			"--kubelet-sysctls=net/core/*,kernel.sem", "--grants=require", "--grants-backend=scc",
			"--grants-grace-period=2h",
		}}},
	}
	defaults := Settings{Image: "busybox", GuestHandlers: []string{"kata"}, Generate: true, Backend: "vap",
		Grace: time.Hour, Source: CertManager, Secret: "sysctl-injector-tls"}
	want := Settings{Image: "example.com/busybox:1", KubeletSysctls: []string{"net.core.*", "kernel.sem"},
		Backend: "scc", Grace: 2 * time.Hour,
		Source: ExistingSecret, Secret: "own", Version: "v1", Release: "tuning"}
	if diff := cmp.Diff(want, SettingsOf(deployment, defaults)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	deployment.Spec.Template.Spec.Containers[0].Args = []string{"--certificate=sysctl-injector"}
	if got := SettingsOf(deployment, defaults); got.Source != CertManager || got.Secret != "own" || !got.Generate {
		t.Errorf("with cert-manager: %v", got)
	}
	deployment.Spec.Template.Spec.Volumes = nil
	deployment.Spec.Template.Spec.Containers[0].Args = []string{"--cert-source=self-managed"}
	if got := SettingsOf(deployment, defaults); got.Source != SelfManaged || got.Secret != "sysctl-injector-tls" {
		t.Errorf("self-managed: %v", got)
	}
}

func TestJudgeServer(t *testing.T) {
	deployment := func(replicas, ready int32) *appsv1.Deployment {
		d := &appsv1.Deployment{}
		d.Spec.Replicas, d.Status.ReadyReplicas = &replicas, ready
		return d
	}
	const same = "Passed ServerVersion: the server and this command are both v2"
	s := Server{Namespace: "tuning", Version: "v2", Deployment: deployment(2, 2)}
	wantAnswers(t, s.JudgeDeployment("v2"), "Passed ServerReplicas: 2 servers ready", same)
	wantAnswers(t, s.JudgeDeployment("v1"), "Passed ServerReplicas: 2 servers ready",
		"Warning ServerVersion: the server is v1, but this command is v2: changes between the versions appear "+
			"as differences")
	s.Deployment = deployment(2, 1)
	wantAnswers(t, s.JudgeDeployment("v2"), "Warning ServerReplicas: 1 of 2 servers are ready", same)
	s.Deployment = deployment(2, 0)
	wantAnswers(t, s.JudgeDeployment("v2"), "Failed ServerReplicas: no server is ready: pods that request sysctls "+
		"are rejected", same)
	s.Deployment = nil
	wantAnswers(t, s.JudgeDeployment(""), `Failed ServerReplicas: there is no Deployment "sysctl-injector" in `+
		`namespace tuning`)
}

func TestAddReinstall(t *testing.T) {
	checks := []Check{QuestionRights.Pass("held"), QuestionRights.Fail("", "gone").fix(reinstall, ""),
		QuestionRights.Fail("", "gone").fix("bind it:", "bind")}
	AddReinstall(checks, "system", Settings{Release: "tuning"})
	const want = "helm upgrade tuning $CHART --namespace system --reset-then-reuse-values --force-conflicts"
	if checks[0].Command != "" || checks[1].Command != want || checks[2].Command != "bind" {
		t.Errorf("got %v", checks)
	}
	AddReinstall(checks, "system", Settings{})
	if want := "kubectl apply --server-side --force-conflicts -f deploy/install.yaml"; checks[1].Command != want {
		t.Errorf("without Helm: %s", checks[1].Command)
	}
}

func TestJudgeEndpoints(t *testing.T) {
	const none = "Failed ServerEndpoints: the Service has no ready endpoint, so the API server cannot reach a " +
		"server: pods that request sysctls are rejected"
	endpoint := func(ready *bool) discoveryv1.EndpointSlice {
		conditions := discoveryv1.EndpointConditions{Ready: ready}
		return discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{{Conditions: conditions}}}
	}
	wantAnswers(t, []Check{Server{}.JudgeEndpoints()}, none)
	wantAnswers(t, []Check{Server{Endpoints: []discoveryv1.EndpointSlice{endpoint(new(false))}}.JudgeEndpoints()}, none)
	wantAnswers(t, []Check{Server{Endpoints: []discoveryv1.EndpointSlice{endpoint(new(true)),
		endpoint(nil)}}.JudgeEndpoints()},
		"Passed ServerEndpoints: the Service has 2 ready endpoints")
}

func TestJudgeLeader(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lease := func(age time.Duration) *coordinationv1.Lease {
		return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("server-1"), LeaseDurationSeconds: new(int32(20)),
			RenewTime: &metav1.MicroTime{Time: now.Add(-age)},
		}}
	}
	const effect = ": no server writes the status of policies, or repairs and removes grants"
	for _, test := range []struct {
		lease *coordinationv1.Lease
		want  string
	}{
		{nil, "Warning ServerLeader: no server is the leader" + effect},
		{&coordinationv1.Lease{}, "Warning ServerLeader: no server is the leader" + effect},
		{lease(time.Minute), "Passed ServerLeader: the leader is server-1"},
		{lease(2 * time.Minute), "Warning ServerLeader: the leader, server-1, last renewed its Lease 2m0s ago" +
			effect},
	} {
		wantAnswers(t, []Check{Server{Lease: test.lease, Now: now}.JudgeLeader()}, test.want)
	}
}

func TestJudgeRights(t *testing.T) {
	shipped := func() Rights {
		r := Rights{Namespace: "tuning", ClusterRole: &rbacv1.ClusterRole{}, Role: &rbacv1.Role{}}
		for name, into := range map[string]any{"clusterrole": r.ClusterRole, "role-leaderelection": r.Role} {
			if err := templates.Decode(templates.Install, "install/"+name+".yaml", into); err != nil {
				t.Fatal(err)
			}
		}
		subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "tuning", Name: ServerName}}
		r.ClusterRoleBinding = &rbacv1.ClusterRoleBinding{RoleRef: rbacv1.RoleRef{Name: ServerName}, Subjects: subjects}
		r.RoleBinding = &rbacv1.RoleBinding{RoleRef: rbacv1.RoleRef{Name: LeaderElection}, Subjects: subjects}
		return r
	}
	ofPolicies := func(r *Rights) *rbacv1.PolicyRule {
		return &r.ClusterRole.Rules[slices.IndexFunc(r.ClusterRole.Rules, func(rule rbacv1.PolicyRule) bool {
			return slices.Contains(rule.Resources, "validatingadmissionpolicies")
		})]
	}
	withoutRBAC := func(r *Rights) { r.ClusterRole.Rules = serverRules(r.ClusterRole.Rules, Settings{}) }
	generate := Settings{Generate: true}
	const passed = "Passed ServerRights: the server's service account has the rights that it needs"
	for _, test := range []struct {
		name     string
		tweak    func(*Rights)
		settings Settings
		want     []string
	}{
		{"as shipped", func(*Rights) {}, generate, []string{passed}},
		{"a server that grants nothing needs less", withoutRBAC, Settings{}, []string{passed}},
		{"the same, for one that grants", withoutRBAC, generate, []string{
			`Failed ServerRights: the ClusterRole "sysctl-injector" lacks rights that the server needs: get ` +
				`clusterroles.rbac.authorization.k8s.io, ` +
				"list clusterroles.rbac.authorization.k8s.io, watch clusterroles.rbac.authorization.k8s.io, create " +
				"clusterroles.rbac.authorization.k8s.io, patch clusterroles.rbac.authorization.k8s.io and 11 more"}},
		{"names in rules of their own", func(r *Rights) {
			rule := ofPolicies(r)
			first, second := *rule, *rule
			first.ResourceNames, second.ResourceNames = rule.ResourceNames[:1], rule.ResourceNames[1:]
			*rule = first
			r.ClusterRole.Rules = append(r.ClusterRole.Rules, second)
		}, generate, []string{passed}},
		{"a verb for no name", func(r *Rights) { ofPolicies(r).ResourceNames = []string{"other"} }, generate, []string{
			`Failed ServerRights: the ClusterRole "sysctl-injector" lacks rights that the server needs: get ` +
				`validatingadmissionpolicies.admissionregistration.k8s.io`}},
		{"no role", func(r *Rights) { r.ClusterRole = nil }, generate, []string{
			`Failed ServerRights: the ClusterRole "sysctl-injector" does not exist, so the server cannot read ` +
				`or write anything`}},
		{"a binding to another subject", func(r *Rights) { r.ClusterRoleBinding.Subjects = nil }, generate, []string{
			`Failed ServerRights: the ClusterRole "sysctl-injector" is not bound to the server's service account, ` +
				`so the server cannot read or write anything`}},
		{"no leader", func(r *Rights) { r.Role, r.RoleBinding = nil, nil }, generate, []string{
			`Failed ServerRights: the Role "sysctl-injector-leader-election" differs from this version, so no ` +
				`server can become the leader`,
			`Failed ServerRights: the Role "sysctl-injector-leader-election" is not bound to the server's service ` +
				`account, so no server can become the leader`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := shipped()
			test.tweak(&r)
			got, err := r.Judge(test.settings)
			if err != nil {
				t.Fatal(err)
			}
			wantAnswers(t, got, test.want...)
		})
	}
}

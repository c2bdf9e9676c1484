package inspect

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func injectedPod(namespace, account string, context *corev1.SecurityContext, args ...string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}, Spec: corev1.PodSpec{
		ServiceAccountName: account, InitContainers: []corev1.Container{{Name: v1alpha1.ContainerName, Args: args,
			SecurityContext: context}},
	}}
}

func roleFor(sysctl string) rbacv1.ClusterRole {
	return rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "sysctl-injector:" +
		sysctl}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"sysctls"}, ResourceNames: []string{sysctl},
			Verbs: []string{"use"}},
	}}
}

func bindingFor(sysctl, namespace, account string) rbacv1.RoleBinding {
	return rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "sysctl-injector:" + sysctl + ":" + account},
		RoleRef:    rbacv1.RoleRef{Kind: "ClusterRole", Name: "sysctl-injector:" + sysctl},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}},
	}
}

func TestGrantNeeds(t *testing.T) {
	privileged := &corev1.SecurityContext{Privileged: new(true)}
	unmasked := &corev1.SecurityContext{ProcMount: new(corev1.UnmaskedProcMount)}
	g := &Grants{Enrolled: sets.New("shop")}
	ended := injectedPod("shop", "web", privileged, "kernel.sem=1 1 1 1")
	ended.Status.Phase = corev1.PodSucceeded
	for _, pod := range []*corev1.Pod{
		injectedPod("shop", "web", privileged, "net.core.somaxconn=1024", "kernel.msgmax>=8192"),
		injectedPod("shop", "web", unmasked, "net.ipv4.tcp_tw_reuse=1"),
		injectedPod("shop", "ipc", unmasked, "kernel.msgmax=8192"),
		injectedPod("shop", "reader", &corev1.SecurityContext{RunAsUser: new(int64(65534))}, "kernel.msgmax=8192"),
		injectedPod("elsewhere", "web", privileged, "net.core.somaxconn=1024"),
		injectedPod("shop", "web", privileged, "not an assignment"),
		ended,
		{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}},
	} {
		g.Add(pod)
	}
	want := map[Account]sets.Set[string]{{"shop", "web"}: sets.New("net.core.somaxconn", "kernel.msgmax",
		"net.ipv4.tcp_tw_reuse"), {"shop", "ipc"}: sets.New("kernel.msgmax")}
	if diff := cmp.Diff(want, g.Needs); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	g.Roles = []rbacv1.ClusterRole{roleFor("net.core.somaxconn"), roleFor("kernel.msgmax")}
	g.Bindings = []rbacv1.RoleBinding{bindingFor("net.core.somaxconn", "shop", "web"), bindingFor("kernel.msgmax",
		"shop", "other"), bindingFor("kernel.msgmax", "shop", "ipc")}
	missing := map[Account][]string{{"shop", "web"}: {"kernel.msgmax", "net.ipv4.tcp_tw_reuse"}}
	if diff := cmp.Diff(missing, g.Ungranted()); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	got := g.Judge(missing)
	wantAnswers(t, got[:1], `Failed GrantMissing: pods of service account "web" in namespace "shop" set sysctls `+
		`that it may not use: kernel.msgmax, net.ipv4.tcp_tw_reuse. The guard may reject the next such pod`)
	if want := "sysctl-injector companion -n shop --serviceaccount web kernel.msgmax net.ipv4.tcp_tw_reuse | " +
		"kubectl apply -f -"; got[0].Command != want {
		t.Errorf("the command is %s, want %s", got[0].Command, want)
	}
}

func TestStrayGrants(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	const granted = "Passed GrantMissing: the injected pods of 0 service accounts have the grants that they need"
	unused := func(since time.Duration) map[string]string {
		return map[string]string{v1alpha1.UnusedSinceAnnotation: now.Add(-since).Format(time.RFC3339)}
	}
	for _, test := range []struct {
		name  string
		tweak func(*Grants)
		want  []string
	}{
		{"none", func(*Grants) {}, []string{"Passed GrantStray: no grant is left over (1 binding)"}},
		{"unused, within the grace period", func(g *Grants) { g.Bindings[0].Annotations = unused(time.Hour) },
			[]string{"Passed GrantStray: no grant is left over (1 binding)"}},
		{"unused for longer than the grace period",
			func(g *Grants) { g.Bindings[0].Annotations = unused(2 * time.Hour) },
			[]string{`Warning GrantStray: RoleBinding "sysctl-injector:kernel.sem:web" in namespace "shop" is an ` +
				`unused grant: no pod has used it for longer than the grace period`}},
		{"a role that does not exist", func(g *Grants) { g.Roles = nil }, []string{
			`Warning GrantStray: RoleBinding "sysctl-injector:kernel.sem:web" in namespace "shop" is an ` +
				`unused grant: its ClusterRole "sysctl-injector:kernel.sem" does not exist`}},
		{"a role that nothing binds, which the leader has just marked", func(g *Grants) {
			g.Bindings, g.Roles[0].Annotations = nil, unused(time.Minute)
		}, []string{"Passed GrantStray: no grant is left over (0 bindings)"}},
		{"a role without a binding for longer than the grace period", func(g *Grants) {
			g.Bindings, g.Roles[0].Annotations = nil, unused(2*time.Hour)
		},
			[]string{`Warning GrantStray: no binding uses ClusterRole "sysctl-injector:kernel.sem"`}},
		{"a role of an administrator without a binding", func(g *Grants) {
			g.Bindings, g.Settings.Generate = nil, false
		},
			[]string{`Warning GrantStray: no binding uses ClusterRole "sysctl-injector:kernel.sem"`}},
		{"a role that others bind", func(g *Grants) {
			g.Bindings, g.Settings.Generate, g.OtherRefs = nil, false, sets.New("sysctl-injector:kernel.sem")
		}, []string{"Passed GrantStray: no grant is left over (0 bindings)"}},
		{"an administrator's grant where nothing is injected", func(g *Grants) {
			g.Enrolled, g.Settings.Generate = nil, false
		}, []string{
			`Warning GrantStray: RoleBinding "sysctl-injector:kernel.sem:web" in namespace "shop" is an ` +
				`unused grant: its namespace is not enrolled`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &Grants{
				Enrolled: sets.New("shop"), OtherRefs: sets.New[string](), Settings: Settings{Generate: true,
					Grace: time.Hour}, Now: now,
				Roles:    []rbacv1.ClusterRole{roleFor("kernel.sem")},
				Bindings: []rbacv1.RoleBinding{bindingFor("kernel.sem", "shop", "web")},
			}
			test.tweak(g)
			wantAnswers(t, g.Judge(nil), append([]string{granted}, test.want...)...)
		})
	}
}

// The name of an RBAC object may contain almost any character. A shell must not run it in a printed command.
func TestNamesAreQuoted(t *testing.T) {
	role := roleFor("kernel.sem")
	role.Name = "--all $(reboot)"
	g := &Grants{OtherRefs: sets.New[string](), Roles: []rbacv1.ClusterRole{role}}
	for _, c := range g.JudgeStray() {
		if want := "kubectl delete 'clusterrole/--all $(reboot)'"; c.Command != want {
			t.Errorf("the command is %s, want %s", c.Command, want)
		}
	}
}

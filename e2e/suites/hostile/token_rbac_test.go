package hostile_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// grantedRole is the ClusterRole that grants a sysctl, as the server writes it.
func grantedRole(sysctl string, labels map[string]string) *rbacv1.ClusterRole {
	return &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "sysctl-injector:" + sysctl, Labels: labels},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"sysctls"},
			ResourceNames: []string{sysctl}, Verbs: []string{"use"}}},
	}
}

// grantedBinding gives it to the default service account of the namespace default.
func grantedBinding(sysctl string, labels map[string]string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "sysctl-injector:" + sysctl +
			":default", Namespace: "default", Labels: labels},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "sysctl-injector:" + sysctl},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "default"}},
	}
}

// metadataEdits apply to all objects of RBAC.
var metadataEdits = []struct {
	name string
	ways []way
	edit func(client.Object)
	want string
}{
	{"as rendered", everyWay, func(client.Object) {}, ""},
	{"marked as unused", everyWay,
		func(o client.Object) { o.SetAnnotations(map[string]string{unusedSince: "2026-01-01T00:00:00Z"}) }, ""},
	{"with an owner's finalizer", everyWay, func(o client.Object) { o.SetFinalizers([]string{"example.com/stay"}) },
		noOwners},
	{"with an owner", everyWay, func(o client.Object) {
		o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Namespace", Name: "default", UID: "1"}})
	}, noOwners},
}

// A holder of the token can write only ClusterRoles as the server renders them.
func TestOwnClusterRoles(t *testing.T) {
	a := holder(t)
	fresh, live := grantedRole("net.ipv4.tcp_new", ours), grantedRole("net.ipv4.tcp_live", ours)
	exist(t, live)
	for _, test := range metadataEdits {
		a.writes(t, test.name, fresh, live, test.edit, test.ways, test.want)
	}
	secrets := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}
	server := &rbacv1.ClusterRole{}
	must(t, templates.Decode(templates.Install, "install/clusterrole.yaml", server))
	for _, test := range []struct {
		name string
		ways []way
		edit func(*rbacv1.ClusterRole)
		want string
	}{
		{"with the server's own rules", everyWay,
			func(r *rbacv1.ClusterRole) { r.Rules = server.Rules }, noClusterRole},
		{"with an additional rule", everyWay,
			func(r *rbacv1.ClusterRole) { r.Rules = append(r.Rules, secrets) }, noClusterRole},
		{"with another rule", everyWay, func(r *rbacv1.ClusterRole) { r.Rules = []rbacv1.PolicyRule{secrets} },
			noClusterRole},
		{"without rules", unsetting, func(r *rbacv1.ClusterRole) { r.Rules = []rbacv1.PolicyRule{} }, noClusterRole},
		{"with an additional verb", everyWay,
			func(r *rbacv1.ClusterRole) { r.Rules[0].Verbs = []string{"use", "get"} }, noClusterRole},
		{"with every verb", everyWay, func(r *rbacv1.ClusterRole) { r.Rules[0].Verbs = []string{"*"} }, noClusterRole},
		{"for every group", everyWay, func(r *rbacv1.ClusterRole) { r.Rules[0].APIGroups = []string{"*"} },
			noClusterRole},
		{"for every resource", everyWay, func(r *rbacv1.ClusterRole) { r.Rules[0].Resources = []string{"*"} },
			noClusterRole},
		{"for an additional resource", everyWay,
			func(r *rbacv1.ClusterRole) {
				r.Rules[0].Resources = []string{"sysctls",
					"sysctlpolicies"}
			}, noClusterRole},
		{"for every sysctl", everyWay, func(r *rbacv1.ClusterRole) { r.Rules[0].ResourceNames = nil }, noClusterRole},
		{"for another sysctl than its name says", everyWay,
			func(r *rbacv1.ClusterRole) { r.Rules[0].ResourceNames = []string{"kernel.core_pattern"} }, noClusterRole},
		{"for two sysctls", everyWay,
			func(r *rbacv1.ClusterRole) {
				r.Rules[0].ResourceNames = append(r.Rules[0].ResourceNames,
					"kernel.sem")
			}, noClusterRole},
		{"for URLs", everyWay, func(r *rbacv1.ClusterRole) {
			r.Rules = []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"use"}}}
		}, noClusterRole},
		{"for every PodSecurityPolicy of that name", everyWay, func(r *rbacv1.ClusterRole) {
			r.Rules[0].APIGroups, r.Rules[0].Resources = []string{"policy"}, []string{"podsecuritypolicies"}
		}, noClusterRole},
		{"that aggregates others", everyWay, func(r *rbacv1.ClusterRole) {
			r.AggregationRule = &rbacv1.AggregationRule{
				ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"a": "b"}}}}
		}, noClusterRole},
		{"added to view", everyWay,
			func(r *rbacv1.ClusterRole) { r.Labels["rbac.authorization.k8s.io/aggregate-to-view"] = "true" },
			noAggregation},
		{"added to another", everyWay,
			func(r *rbacv1.ClusterRole) { r.Labels["rbac.authorization.k8s.io/aggregate-to-own"] = "" }, noAggregation},
		{"without the label", unsetting, func(r *rbacv1.ClusterRole) { r.Labels = nil }, noLabel +
			"ClusterRole does not"},
		{"with another's label", everyWay, func(r *rbacv1.ClusterRole) { r.Labels[v1alpha1.ManagedByLabel] = "Helm" },
			noLabel + "ClusterRole does not"},
		{"of another name", creating, func(r *rbacv1.ClusterRole) { r.Name = "net.ipv4.tcp_new" }, noClusterRole},
		{"of the server's name", creating, func(r *rbacv1.ClusterRole) { r.Name = "sysctl-injector-2" }, noClusterRole},
		{"with a name like a shortened one", creating,
			func(r *rbacv1.ClusterRole) { r.Name += "::0123456789" }, noClusterRole},
		{"for SecurityContextConstraints", creating, func(r *rbacv1.ClusterRole) {
			*r = *grantedRole("scc", ours)
			r.Rules[0] = rbacv1.PolicyRule{APIGroups: []string{"security.openshift.io"},
				Resources: []string{"securitycontextconstraints"}, ResourceNames: []string{
					"sysctl-injector"}, Verbs: []string{"use"}}
		}, ""},
		{"for others' SecurityContextConstraints", creating, func(r *rbacv1.ClusterRole) {
			*r = *grantedRole("scc", ours)
			r.Rules[0] = rbacv1.PolicyRule{APIGroups: []string{"security.openshift.io"},
				Resources: []string{"securitycontextconstraints"}, ResourceNames: []string{
					"privileged"}, Verbs: []string{"use"}}
		}, noClusterRole},
		{"for a PodSecurityPolicy", creating, func(r *rbacv1.ClusterRole) {
			*r = *grantedRole("psp:sysctl-injector-kernel.sem", ours)
			r.Rules[0] = rbacv1.PolicyRule{APIGroups: []string{"policy"}, Resources: []string{"podsecuritypolicies"},
				ResourceNames: []string{"sysctl-injector-kernel.sem"}, Verbs: []string{"use"}}
		}, ""},
		{"for others' PodSecurityPolicy", creating, func(r *rbacv1.ClusterRole) {
			*r = *grantedRole("psp:privileged", ours)
			r.Rules[0] = rbacv1.PolicyRule{APIGroups: []string{"policy"}, Resources: []string{"podsecuritypolicies"},
				ResourceNames: []string{"privileged"}, Verbs: []string{"use"}}
		}, noClusterRole},
	} {
		a.writes(t, test.name, fresh, live, func(o client.Object) { test.edit(o.(*rbacv1.ClusterRole)) },
			test.ways, test.want)
	}

	foreign := grantedRole("net.ipv4.tcp_foreign", map[string]string{v1alpha1.ManagedByLabel: "Helm"})
	spoilt := grantedRole("net.ipv4.tcp_spoilt", ours)
	spoilt.Rules = append(spoilt.Rules, secrets)
	spoilt.Labels = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy,
		"rbac.authorization.k8s.io/aggregate-to-own": "true"}
	exist(t, foreign, spoilt)
	a.writes(t, "a foreign one, labelled", fresh, foreign, func(o client.Object) { o.SetLabels(ours) }, changing,
		noLabel+"ClusterRole does not")
	a.writes(t, "a spoilt one, marked", fresh, spoilt, metadataEdits[1].edit, changing, "")
	a.writes(t, "a spoilt one, restored", fresh, spoilt,
		func(o client.Object) {
			o.(*rbacv1.ClusterRole).Rules = grantedRole("net.ipv4.tcp_spoilt",
				ours).Rules
		}, changing, "")
	a.writes(t, "a spoilt one, with more", fresh, spoilt,
		func(o client.Object) { o.(*rbacv1.ClusterRole).Rules[1].Verbs = []string{"*"} }, changing, noClusterRole)
	a.removes(t, "one of its own", live, "")
	a.removes(t, "a spoilt one", spoilt, "")
	a.removes(t, "a foreign one", foreign, noLabel+"ClusterRole does not")
	for _, name := range []string{"cluster-admin", "system:node", installation.Name} {
		a.removes(t, name, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}},
			noLabel+"ClusterRole does not")
	}
	// The policy does not apply to other users.
	must(t, admin.Delete(t.Context(), foreign, client.DryRunAll))
}

// The same for RoleBindings.
func TestOwnRoleBindings(t *testing.T) {
	a := holder(t)
	fresh, live := grantedBinding("net.ipv4.tcp_new", ours), grantedBinding("net.ipv4.tcp_live", ours)
	exist(t, live)
	for _, test := range metadataEdits {
		a.writes(t, test.name, fresh, live, test.edit, test.ways, test.want)
	}
	for _, test := range []struct {
		name string
		ways []way
		edit func(*rbacv1.RoleBinding)
		want string
	}{
		{"of the server's own role", creating,
			func(b *rbacv1.RoleBinding) { b.RoleRef.Name = installation.Name }, noRoleBinding},
		{"of the server's own role to a user", creating, func(b *rbacv1.RoleBinding) {
			b.RoleRef.Name, b.Subjects = installation.Name, []rbacv1.Subject{{Kind: rbacv1.UserKind,
				APIGroup: rbacv1.GroupName, Name: "mallory"}}
		}, noRoleBinding},
		{"of cluster-admin", creating, func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "cluster-admin" }, noRoleBinding},
		{"of a Role", creating, func(b *rbacv1.RoleBinding) { b.RoleRef.Kind = "Role" }, noRoleBinding},
		{"to a user", everyWay, func(b *rbacv1.RoleBinding) {
			b.Subjects = []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "default"}}
		}, noRoleBinding},
		{"to a group", everyWay, func(b *rbacv1.RoleBinding) {
			b.Subjects = []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "default"}}
		}, noRoleBinding},
		{"also to everybody", everyWay, func(b *rbacv1.RoleBinding) {
			b.Subjects = append(b.Subjects,
				rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "system:authenticated"})
		}, noRoleBinding},
		{"to a service account of another namespace", everyWay,
			func(b *rbacv1.RoleBinding) { b.Subjects[0].Namespace = "kube-system" }, noRoleBinding},
		{"to another service account than its name says", everyWay,
			func(b *rbacv1.RoleBinding) { b.Subjects[0].Name = "other" }, noRoleBinding},
		{"without subjects", unsetting, func(b *rbacv1.RoleBinding) { b.Subjects = nil }, noRoleBinding},
		{"without the label", unsetting, func(b *rbacv1.RoleBinding) { b.Labels = nil }, noLabel +
			"RoleBinding does not"},
		{"with another's label", everyWay, func(b *rbacv1.RoleBinding) { b.Labels[v1alpha1.ManagedByLabel] = "Helm" },
			noLabel + "RoleBinding does not"},
		{"of another name", creating, func(b *rbacv1.RoleBinding) { b.Name = "admins" }, noRoleBinding},
	} {
		a.writes(t, test.name, fresh, live, func(o client.Object) { test.edit(o.(*rbacv1.RoleBinding)) },
			test.ways, test.want)
	}

	foreign, spoilt := grantedBinding("net.ipv4.tcp_foreign", nil), grantedBinding("net.ipv4.tcp_spoilt", ours)
	spoilt.Subjects = nil
	exist(t, foreign, spoilt)
	a.writes(t, "a foreign one, labelled", fresh, foreign, func(o client.Object) { o.SetLabels(ours) }, changing,
		noLabel+"RoleBinding does not")
	a.writes(t, "a spoilt one, marked", fresh, spoilt, metadataEdits[1].edit, changing, "")
	a.writes(t, "a spoilt one, restored", fresh, spoilt,
		func(o client.Object) { o.(*rbacv1.RoleBinding).Subjects = live.Subjects }, changing, "")
	a.removes(t, "one of its own", live, "")
	a.removes(t, "a spoilt one", spoilt, "")
	a.removes(t, "a foreign one", foreign, noLabel+"RoleBinding does not")
}

// The server's user can write no Roles and no ClusterRoleBindings, with or without its label.
func TestOwnOtherRBAC(t *testing.T) {
	a := holder(t)
	account := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "default"}}
	role := func(name string) *rbacv1.Role {
		return &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: ours},
			Rules: grantedRole("net.ipv4.tcp_live", nil).Rules}
	}
	binding := func(name string) *rbacv1.ClusterRoleBinding {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: ours},
			RoleRef: grantedBinding("net.ipv4.tcp_live", nil).RoleRef, Subjects: account}
	}
	exist(t, role("live"), binding("live"))
	mark := metadataEdits[1].edit
	a.writes(t, "a Role", role("new"), role("live"), mark, everyWay, noOtherRBAC)
	a.writes(t, "a ClusterRoleBinding", binding("new"), binding("live"), mark, everyWay, noOtherRBAC)
	a.removes(t, "a Role", role("live"), noOtherRBAC)
	a.removes(t, "a ClusterRoleBinding", binding("live"), noOtherRBAC)
	a.removes(t, "the server's own ClusterRoleBinding",
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: installation.Name}}, noOtherRBAC)
}

// With self-managed certificates the server writes a Secret. The API server fills a Secret of the type
// service-account-token with a token that does not expire. Under the name that the server may read, it would give the
// holder a permanent token.
func TestOwnSecrets(t *testing.T) {
	a := holder(t)
	const (
		noSecret = "sysctl-injector writes only its Secret sysctl-injector-tls, of the type kubernetes.io/tls"
		noData   = "sysctl-injector writes only a CA and a certificate into its Secret"
	)
	fresh := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace, Name: "sysctl-injector-tls", Labels: ours},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{"ca.crt": {1}, "ca.key": {1}, "tls.crt": {1}, "tls.key": {1}},
	}
	edit := func(edit func(*corev1.Secret)) func(client.Object) {
		return func(o client.Object) { edit(o.(*corev1.Secret)) }
	}
	a.writes(t, "as rendered", fresh, nil, edit(func(*corev1.Secret) {}), creating, "")
	a.writes(t, "a service account's token", fresh, nil, edit(func(s *corev1.Secret) {
		s.Type, s.Data = corev1.SecretTypeServiceAccountToken, nil
		s.Annotations = map[string]string{corev1.ServiceAccountNameKey: installation.Name}
	}), creating, noSecret)
	a.writes(t, "a service account's token of another name", fresh, nil, edit(func(s *corev1.Secret) {
		s.Name, s.Type, s.Data = "token", corev1.SecretTypeServiceAccountToken, nil
		s.Annotations = map[string]string{corev1.ServiceAccountNameKey: installation.Name}
	}), creating, noSecret)
	a.writes(t, "of no type", fresh, nil, edit(func(s *corev1.Secret) { s.Type = "" }), creating, noSecret)
	a.writes(t, "a Helm release", fresh, nil, edit(func(s *corev1.Secret) {
		s.Name, s.Type, s.Data = "sh.helm.release.v1.sysctl-injector.v2", "helm.sh/release.v1", map[string][]byte{
			"release": {1}}
	}), creating, noSecret)
	a.writes(t, "with other data", fresh, nil, edit(func(s *corev1.Secret) { s.Data["release"] = []byte{1} }),
		creating, noData)
	exist(t, fresh.DeepCopy())
	a.writes(t, "renewed", nil, fresh, edit(func(s *corev1.Secret) { s.Data["tls.crt"] = []byte{2} }), changing, "")
	a.writes(t, "with more data", nil, fresh, edit(func(s *corev1.Secret) { s.Data["release"] = []byte{1} }),
		changing, noData)
	a.writes(t, "with a finalizer", nil, fresh, metadataEdits[2].edit, changing, noData)
	a.removes(t, "its own", fresh, noSecret)
}

package grants_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// minimal is a server whose role lacks one right in each test.
type minimal struct {
	*site
	namespace string
}

// The server needs every right of its role: without any one of them something fails, as its row says.
func TestRoleIsMinimal(t *testing.T) {
	suite.Cluster(t)
	must(t, admin.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: reduced}}))
	must(t, addAccount(t.Context(), reduced, reduced))
	setRights(t, right{})
	s := newSite(t, serverConfig{account: reduced, args: []string{"--grants-grace-period=1s"}})
	m := &minimal{s, s.namespace(t)}
	allowSysctlsOf(t, rights(t))

	rows := map[right]func(*minimal, *testing.T, right){
		{"", "namespaces", "get"}:                                              (*minimal).rejectsForeignNamespace,
		{"", "namespaces", "list"}:                                             (*minimal).isNotReady,
		{"", "namespaces", "watch"}:                                            (*minimal).seesNoChanges,
		{"node.k8s.io", "runtimeclasses", "get"}:                               (*minimal).rejectsUnknownRuntimeClass,
		{"node.k8s.io", "runtimeclasses", "list"}:                              (*minimal).isNotReady,
		{"node.k8s.io", "runtimeclasses", "watch"}:                             (*minimal).seesNoChanges,
		{v1alpha1.GroupName, "sysctlpolicies", "list"}:                         (*minimal).isNotReady,
		{v1alpha1.GroupName, "sysctlpolicies", "watch"}:                        (*minimal).seesNoChanges,
		{v1alpha1.GroupName, "sysctlprofiles", "list"}:                         (*minimal).isNotReady,
		{v1alpha1.GroupName, "sysctlprofiles", "watch"}:                        (*minimal).seesNoChanges,
		{v1alpha1.GroupName, "sysctlpolicies/status", "update"}:                (*minimal).tellsNoStatus,
		{v1alpha1.GroupName, "sysctlprofiles/status", "update"}:                (*minimal).tellsNoStatus,
		{rbacv1.GroupName, "clusterroles", "get"}:                              (*minimal).rejectsPod,
		{rbacv1.GroupName, "clusterroles", "list"}:                             (*minimal).isNotReady,
		{rbacv1.GroupName, "clusterroles", "watch"}:                            (*minimal).seesNoChanges,
		{rbacv1.GroupName, "clusterroles", "create"}:                           (*minimal).rejectsPod,
		{rbacv1.GroupName, "clusterroles", "patch"}:                            (*minimal).rejectsPod,
		{rbacv1.GroupName, "clusterroles", "delete"}:                           (*minimal).rejectsPod,
		{rbacv1.GroupName, "rolebindings", "get"}:                              (*minimal).rejectsPod,
		{rbacv1.GroupName, "rolebindings", "list"}:                             (*minimal).isNotReady,
		{rbacv1.GroupName, "rolebindings", "watch"}:                            (*minimal).seesNoChanges,
		{rbacv1.GroupName, "rolebindings", "create"}:                           (*minimal).rejectsPod,
		{rbacv1.GroupName, "rolebindings", "patch"}:                            (*minimal).rejectsPod,
		{rbacv1.GroupName, "rolebindings", "delete"}:                           (*minimal).rejectsPod,
		{"", "serviceaccounts", "get"}:                                         (*minimal).rejectsPod,
		{"", "pods", "list"}:                                                   (*minimal).listsNoPods,
		{rbacv1.GroupName, "clusterrolebindings", "list"}:                      (*minimal).keepsUnusedRole,
		{"authorization.k8s.io", "subjectaccessreviews", "create"}:             (*minimal).rejectsPod,
		{v1alpha1.GroupName, "sysctls", "use"}:                                 (*minimal).rejectsPod,
		{"admissionregistration.k8s.io", "validatingadmissionpolicies", "get"}: (*minimal).waitsForTheGuard,
		{"apps", "replicasets", "get"}:                                         (*minimal).tellsNobody,
		{"batch", "jobs", "get"}:                                               (*minimal).tellsNobody,
		{"events.k8s.io", "events", "create"}:                                  (*minimal).writesNoEvent,
		{"events.k8s.io", "events", "patch"}:                                   (*minimal).writesNoEvent,
	}
	all := rights(t)
	for r := range rows {
		if !slices.Contains(all, r) {
			t.Errorf("%s is not in the role", r)
		}
	}
	for _, r := range all {
		t.Run(r.String(), func(t *testing.T) {
			if rows[r] == nil {
				t.Fatal("nothing is known to fail without it")
			}
			setRights(t, r)
			rows[r](m, t, r)
		})
	}
}

// isNotReady: without the list, the caches are never filled.
func (m *minimal) isNotReady(t *testing.T, r right) {
	// Without streamed lists, as before Kubernetes 1.32: with them, a client that may watch need not list.
	s := launch(t, serverConfig{account: reduced, env: []string{"KUBE_FEATURE_WatchListClient=false"}})
	s.awaitLog(t, logged(r.denied()))
	const want = "503 Service Unavailable: [+]shutdown ok\n[+]certificate ok\n" +
		"[-]caches: the caches of namespaces, RuntimeClasses, policies and profiles are not filled yet\n" +
		"[+]kubernetes-version ok\n[+]guard ok"
	s.answers(t, want)
}

// waitsForTheGuard: the server does not know whether the guard admits its init image.
func (m *minimal) waitsForTheGuard(t *testing.T, r right) {
	s := launch(t, serverConfig{account: reduced})
	s.answers(t, "503 Service Unavailable: [+]shutdown ok\n[+]certificate ok\n[+]caches ok\n[+]kubernetes-version ok\n"+
		`[-]guard: read ValidatingAdmissionPolicy "sysctl-injector-baseline": `+
		`validatingadmissionpolicies.admissionregistration.k8s.io `+
		`"sysctl-injector-baseline" is forbidden: `+r.denied()+" at the cluster scope")
}

// answers waits until /readyz of a server says why it is not ready.
func (s *server) answers(t *testing.T, want string) {
	t.Helper()
	untilAnswer(t, "the answer "+want, func(ctx context.Context) (string, bool) {
		err := s.Ready(ctx)
		return fmt.Sprint(err), err != nil && err.Error() == want
	})
}

// seesNoChanges: without the watch, the server never learns of a change.
func (m *minimal) seesNoChanges(t *testing.T, r right) {
	s := launch(t, serverConfig{account: reduced, env: []string{"KUBE_FEATURE_WatchListClient=false"}})
	s.awaitLog(t, logged(r.denied()))
}

// listsNoPods: the server cannot tell which grants are used, so it removes none.
func (m *minimal) listsNoPods(t *testing.T, r right) {
	s := launch(t, serverConfig{account: reduced})
	s.awaitLog(t,
		logged(fmt.Sprintf("list what the pods of namespace %q need: pods is forbidden: %s in the namespace %q",
			m.namespace, r.denied(), m.namespace)))
}

// allowSysctlsOf allows what newPod asks for in rejectsPod. No kernel has these names, so a policy has to list each of
// them.
func allowSysctlsOf(t *testing.T, rights []right) {
	t.Helper()
	policy := &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "rights"}}
	for _, r := range rights {
		if !strings.Contains(r.resource, "/") {
			policy.Spec.Allow = append(policy.Spec.Allow, v1alpha1.AllowRule{Names: []string{r.sysctl()}})
		}
	}
	must(t, admin.Create(t.Context(), policy))
	t.Cleanup(func() { must(t, admin.Delete(context.WithoutCancel(t.Context()), policy)) })
	awaitReady(t, policy, &policy.Status.Conditions, metav1.ConditionTrue, "in force")
}

// rejectsPod: the grant cannot be applied, or the server cannot check that it is in force. The rejection says why.
func (m *minimal) rejectsPod(t *testing.T, r right) {
	role, binding := role(r.sysctl()), binding(m.namespace, "default", r.sysctl())
	roleKind := fmt.Sprintf("ClusterRole %q", role.Name)
	bindingKind := fmt.Sprintf("RoleBinding %q", m.namespace+"/"+binding.Name)
	there := map[string]string{"clusterroles": "at the cluster scope",
		"rolebindings": fmt.Sprintf("in the namespace %q", m.namespace)}[r.resource]
	forbidden := map[string]string{
		"clusterroles": fmt.Sprintf("clusterroles.rbac.authorization.k8s.io %q is forbidden: %s %s", role.Name,
			r.denied(), there),
		"rolebindings": fmt.Sprintf("rolebindings.rbac.authorization.k8s.io %q is forbidden: %s %s", binding.Name,
			r.denied(), there),
	}[r.resource]
	var want string
	switch r.String() {
	case "get clusterroles":
		want = "read " + roleKind + ": " + forbidden
	case "create clusterroles":
		want = "apply " + roleKind + ": " + createdByPatch(t, forbidden)
	case "patch clusterroles":
		want = "apply " + roleKind + ": " + forbidden
	case "delete clusterroles":
		role.Labels, role.AggregationRule = ours,
			&rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
				{MatchLabels: map[string]string{"example.com/part": "of"}}}}
		must(t, admin.Create(t.Context(), role))
		want = "delete " + roleKind + ", which aggregates other roles: " + forbidden
	case "get rolebindings":
		want = "read " + bindingKind + ": " + forbidden
	case "create rolebindings":
		want = "apply " + bindingKind + ": " + createdByPatch(t, forbidden)
	case "patch rolebindings":
		want = "apply " + bindingKind + ": " + forbidden
	case "delete rolebindings":
		binding.Labels, binding.RoleRef = ours, rbacv1.RoleRef{APIGroup: rbacv1.GroupName,
			Kind: "ClusterRole", Name: "view"}
		must(t, admin.Create(t.Context(), binding))
		want = "delete " + bindingKind + ", which refers to another role: " + forbidden
	case "get serviceaccounts":
		want = fmt.Sprintf(`read service account "default" in namespace %q: serviceaccounts "default" is forbidden: `+
			`%s in the namespace %[1]q`, m.namespace, r.denied())
	case "create subjectaccessreviews":
		want = fmt.Sprintf(`ask whether service account "default" in namespace %q may use `+
			`sysctls.sysctl-injector.dev %q: subjectaccessreviews.authorization.k8s.io is forbidden: %s at the `+
			`cluster scope`,
			m.namespace, r.sysctl(), r.denied())
	case "use sysctls":
		want = fmt.Sprintf("apply %s: clusterroles.rbac.authorization.k8s.io %q is forbidden: user %q "+
			"(groups=[\"system:serviceaccounts\" \"system:serviceaccounts:sysctl-injector-system\" "+
			"\"system:authenticated\"]) "+
			"is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"sysctl-injector.dev\"], "+
			"Resources:[\"sysctls\"], ResourceNames:[%q], "+
			"Verbs:[\"use\"]}", roleKind, role.Name, user(reduced), r.sysctl())
	}
	rejects(t, newPod(m.namespace, "default", r.sysctl()+" = 1"), "GrantFailed: "+want)
}

// createdByPatch returns the API server's message about a forbidden patch that would create an object. Before
// Kubernetes 1.32 it contains no reason.
func createdByPatch(t *testing.T, forbidden string) string {
	t.Helper()
	if version.MustParseGeneric(suite.Cluster(t).Version()).LessThan(version.MajorMinor(1, 32)) {
		forbidden, _, _ = strings.Cut(forbidden, "User ")
	}
	return forbidden
}

// keepsUnusedRole: another binding might use the role.
func (m *minimal) keepsUnusedRole(t *testing.T, r right) {
	old := role(r.sysctl())
	old.Labels = ours
	old.Annotations = map[string]string{unusedSince: "2020-01-01T00:00:00Z"}
	must(t, admin.Create(t.Context(), old))
	m.awaitLog(t,
		"list clusterrolebindings: clusterrolebindings.rbac.authorization.k8s.io is forbidden: "+logged(r.denied()))
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(old), old))
}

// tellsNoStatus: the status of a policy or profile does not say whether it is in force.
func (m *minimal) tellsNoStatus(t *testing.T, r right) {
	var object client.Object = &v1alpha1.SysctlPolicy{
		Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"net.none"}}}}}
	if r.resource == "sysctlprofiles/status" {
		object = &v1alpha1.SysctlProfile{Spec: v1alpha1.SysctlProfileSpec{Sysctls: "net.none = 1"}}
	}
	object.SetName("reduced")
	must(t, admin.Create(t.Context(), object))
	t.Cleanup(func() { must(t, admin.Delete(context.WithoutCancel(t.Context()), object)) })
	m.awaitLog(t, logged(r.denied()))
}

// logged returns a text as the log quotes it.
func logged(text string) string { return strings.ReplaceAll(text, `"`, `\"`) }

package grants_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/admission/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Whoever holds the server's token gains no right but the use of sysctls.
func TestNoEscalation(t *testing.T) {
	suite.Cluster(t)
	server := as(t, installation.Name)
	const (
		account    = "system:serviceaccount:sysctl-injector-system:sysctl-injector"
		attempting = `is forbidden: user "` + account + `" (groups=["system:serviceaccounts" "system:serviceaccounts:sysctl-injector-system" "system:authenticated"]) ` +
			"is attempting to grant RBAC permissions not currently held:\n"
		clusterRole = `clusterroles.rbac.authorization.k8s.io "escalation" `
	)
	meta := metav1.ObjectMeta{Name: "escalation", Labels: ours}
	here := metav1.ObjectMeta{Name: "escalation", Namespace: "default", Labels: ours}
	ref := func(role string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	}
	rule := func(group, resource, verb string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}}}
	}
	cannot := func(verb, resource, group, where string) string {
		return fmt.Sprintf("is forbidden: User %q cannot %s resource %q in API group %q %s", account, verb, resource, group, where)
	}
	for _, test := range []struct {
		name   string
		object client.Object
		want   string
	}{
		{"a RoleBinding to cluster-admin", &rbacv1.RoleBinding{ObjectMeta: here, RoleRef: ref("cluster-admin")},
			`rolebindings.rbac.authorization.k8s.io "escalation" ` + attempting + `{APIGroups:["*"], Resources:["*"], Verbs:["*"]}` + "\n" + `{NonResourceURLs:["*"], Verbs:["*"]}`},
		{"a RoleBinding to edit", &rbacv1.RoleBinding{ObjectMeta: here, RoleRef: ref("edit")}, ""},
		{"a ClusterRole with secrets", &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rule("", "secrets", "get")},
			clusterRole + attempting + `{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}`},
		{"a ClusterRole with every verb on sysctls", &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rule(v1alpha1.GroupName, "sysctls", "*")},
			clusterRole + attempting + `{APIGroups:["sysctl-injector.dev"], Resources:["sysctls"], Verbs:["*"]}`},
		{"a ClusterRole that aggregates others", &rbacv1.ClusterRole{ObjectMeta: meta, AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{}}}},
			clusterRole + `is forbidden: must have cluster-admin privileges to use the aggregationRule`},
		{"a ClusterRoleBinding", &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref("view")},
			"clusterrolebindings.rbac.authorization.k8s.io " + cannot("create", "clusterrolebindings", rbacv1.GroupName, "at the cluster scope")},
		{"a Role", &rbacv1.Role{ObjectMeta: here, Rules: rule("", "secrets", "get")},
			"roles.rbac.authorization.k8s.io " + cannot("create", "roles", rbacv1.GroupName, `in the namespace "default"`)},
		{"a pod", &corev1.Pod{ObjectMeta: here}, "pods " + cannot("create", "pods", "", `in the namespace "default"`)},
		{"a policy", &v1alpha1.SysctlPolicy{ObjectMeta: meta}, "sysctlpolicies.sysctl-injector.dev " + cannot("create", "sysctlpolicies", v1alpha1.GroupName, "at the cluster scope")},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := server.Create(t.Context(), test.object, client.DryRunAll)
			switch {
			case err == nil:
				t.Error("the API server lets it")
			case test.want == "":
				if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), attempting) {
					t.Errorf("the API server says %v", err)
				}
			case err.Error() != test.want:
				t.Errorf("the API server says\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

// The server writes what carries the label, and nothing else of RBAC, whatever its role says.
func TestOwnWrites(t *testing.T) {
	suite.Cluster(t)
	server := as(t, installation.Name)
	const refused = `is forbidden: ValidatingAdmissionPolicy 'sysctl-injector-own-writes' with binding 'sysctl-injector-own-writes' denied request: ` +
		`sysctl-injector writes only what carries the label app.kubernetes.io/managed-by=sysctl-injector, and this `
	use := []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"sysctls"}, ResourceNames: []string{"net.core.somaxconn"}, Verbs: []string{"use"}}}
	newRole := func(name string, labels map[string]string) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Rules: use}
	}
	newBinding := func(name string, labels map[string]string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Labels: labels},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "labelled"},
		}
	}
	others := map[string]string{v1alpha1.ManagedByLabel: "Helm"}
	for _, object := range []client.Object{newRole("labelled", ours), newRole("foreign", others), newBinding("labelled", ours), newBinding("foreign", nil)} {
		must(t, admin.Create(t.Context(), object))
		t.Cleanup(func() { must(t, client.IgnoreNotFound(admin.Delete(context.WithoutCancel(t.Context()), object))) })
	}
	eventually(t, "the policy to be in force", func(ctx context.Context) (bool, error) {
		return server.Delete(ctx, newRole("foreign", nil), client.DryRunAll) != nil, nil
	})
	relabel := func(object client.Object, label string) func(context.Context) error {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"labels": {"app.kubernetes.io/managed-by": `+label+`}}}`))
		return func(ctx context.Context) error { return server.Patch(ctx, object, patch, client.DryRunAll) }
	}
	remove := func(object client.Object) func(context.Context) error {
		return func(ctx context.Context) error { return server.Delete(ctx, object, client.DryRunAll) }
	}
	create := func(object client.Object) func(context.Context) error {
		return func(ctx context.Context) error { return server.Create(ctx, object, client.DryRunAll) }
	}
	const roleRefused, bindingRefused = refused + "ClusterRole does not", refused + "RoleBinding does not"
	for _, test := range []struct {
		name string
		do   func(context.Context) error
		want string // the object's name, and why it is refused
	}{
		{"creates a labelled ClusterRole", create(newRole("new", ours)), ""},
		{"creates a labelled RoleBinding", create(newBinding("new", ours)), ""},
		{"changes a labelled ClusterRole", relabel(newRole("labelled", nil), `"sysctl-injector", "example.com/a": "b"`), ""},
		{"deletes a labelled ClusterRole", remove(newRole("labelled", nil)), ""},
		{"deletes a labelled RoleBinding", remove(newBinding("labelled", nil)), ""},
		{"creates a ClusterRole without the label", create(newRole("new", nil)), `"new" ` + roleRefused},
		{"creates a RoleBinding with another value", create(newBinding("new", others)), `"new" ` + bindingRefused},
		{"takes a foreign ClusterRole over", relabel(newRole("foreign", nil), `"sysctl-injector"`), `"foreign" ` + roleRefused},
		{"takes a foreign RoleBinding over", relabel(newBinding("foreign", nil), `"sysctl-injector"`), `"foreign" ` + bindingRefused},
		{"gives the label away", relabel(newRole("labelled", nil), `null`), `"labelled" ` + roleRefused},
		{"deletes a foreign ClusterRole", remove(newRole("foreign", nil)), `"foreign" ` + roleRefused},
		{"deletes a foreign RoleBinding", remove(newBinding("foreign", nil)), `"foreign" ` + bindingRefused},
		{"deletes cluster-admin", remove(newRole("cluster-admin", nil)), `"cluster-admin" ` + roleRefused},
		{"deletes its own role", remove(newRole("sysctl-injector", nil)), `"sysctl-injector" ` + roleRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.do(t.Context())
			switch {
			case test.want == "" && err != nil:
				t.Errorf("it is refused: %v", err)
			case test.want != "" && (err == nil || !strings.HasSuffix(err.Error(), ".rbac.authorization.k8s.io "+test.want)):
				t.Errorf("the API server says\n%v\nwant\n%s", err, test.want)
			}
		})
	}
	// Nobody else is held to it.
	must(t, admin.Delete(t.Context(), newRole("foreign", nil), client.DryRunAll))
}

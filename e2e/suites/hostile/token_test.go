package hostile_test

import (
	"context"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// Messages of the policies in own-writes.yaml.
const (
	noClusterRole = "sysctl-injector writes only ClusterRoles that allow the use of one sysctl and are named after it"
	noAggregation = "sysctl-injector adds no ClusterRole to another by a label rbac.authorization.k8s.io/aggregate-to-*"
	noOwners      = "sysctl-injector adds neither finalizers nor owner references"
	noRoleBinding = "sysctl-injector writes only RoleBindings of one of its ClusterRoles to one service account of " +
		"the same namespace, named after both"
	noOtherRBAC = "sysctl-injector writes neither Roles nor ClusterRoleBindings"
	noLabel     = "sysctl-injector writes only what carries the label " +
		"app.kubernetes.io/managed-by=sysctl-injector, and this "
)

// unusedSince is the annotation by which the server marks a grant that nothing uses.
const unusedSince = "sysctl-injector.dev/unused-since"

// holder returns attempts by the holder of the server's token, whom an administrator has bound to cluster-admin: RBAC
// denies nothing, so each answer comes from the policies. The server is stopped meanwhile, because it would repair the
// objects.
func holder(t *testing.T) *attempts {
	t.Helper()
	suite.Cluster(t)
	installed.Server().Kill()
	t.Cleanup(func() { must(t, installed.Restart(context.WithoutCancel(t.Context()))) })
	everything := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "own-writes"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: installation.Namespace,
			Name: installation.Name}},
	}
	exist(t, everything)
	a := &attempts{client: as(t, installation.Name)}
	eventually(t, "the right and the policies to be in force", func(ctx context.Context) (bool, error) {
		err := a.client.Delete(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}}, client.DryRunAll)
		binding := a.client.Create(ctx, grantedBinding("net.ipv4.tcp_new", nil), client.DryRunAll)
		other := a.client.Delete(ctx, everything, client.DryRunAll)
		return isDenied(err) && isDenied(binding) && isDenied(other), nil
	})
	t.Cleanup(func() { t.Logf("%d attempts", a.count) })
	return a
}

// exist creates objects, and deletes them when the test ends.
func exist(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		must(t, admin.Create(t.Context(), object))
		t.Cleanup(func() { must(t, client.IgnoreNotFound(admin.Delete(context.WithoutCancel(t.Context()), object))) })
	}
}

// setAside deletes an object of the installation, and restores it when the test ends.
func setAside(t *testing.T, object client.Object) {
	t.Helper()
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	must(t, admin.Delete(t.Context(), object))
	t.Cleanup(func() {
		object.SetResourceVersion("")
		must(t, admin.Create(context.WithoutCancel(t.Context()), object))
	})
}

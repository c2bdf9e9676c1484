package clustertest

import (
	"context"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// Developer is a user with the ClusterRole "edit" in the namespaces that DeveloperNamespace creates, and no other
// right.
const Developer = "developer"

// ConfigOf returns a configuration like AdminConfig for another user.
func ConfigOf(c *cluster.Cluster, user string) *rest.Config {
	config := AdminConfig(c)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	return config
}

// Clients returns the clients of the administrator and of the developer.
func Clients(t testing.TB, c *cluster.Cluster) (admin, developer *kubernetes.Clientset) {
	t.Helper()
	admin, err := kubernetes.NewForConfig(AdminConfig(c))
	Must(t, err)
	developer, err = kubernetes.NewForConfig(ConfigOf(c, Developer))
	Must(t, err)
	return admin, developer
}

// DeveloperNamespace creates a namespace as Namespace does, and returns when the developer may create pods in it.
func DeveloperNamespace(t testing.TB, c *cluster.Cluster, meta metav1.ObjectMeta, serviceAccounts ...string) {
	t.Helper()
	admin, _ := Clients(t, c)
	namespace := Namespace(t, admin, meta, serviceAccounts...)
	Bind(t, admin, namespace, "edit",
		rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: Developer})
	Answers(30*time.Second)(t, "the developer may create pods", func(ctx context.Context) (string, bool) {
		return CanI(ctx, c, namespace, Developer, "create", "pods")
	})
}

// Bind binds a ClusterRole within a namespace.
func Bind(t testing.TB, admin kubernetes.Interface, namespace, clusterRole string, subject rbacv1.Subject) {
	t.Helper()
	_, err := admin.RbacV1().RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: strings.ReplaceAll(clusterRole, ":", "-") + "-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{subject},
	}, metav1.CreateOptions{})
	Must(t, err)
}

// CanI asks the API server's authorizer about a user.
func CanI(ctx context.Context, c *cluster.Cluster, namespace, user, verb, resource string) (answer string, yes bool) {
	answer, err := c.Kubectl(ctx, "", "auth", "can-i", verb, resource, "--namespace", namespace, "--as", user)
	return answer, err == nil
}

package clustertest

import (
	"context"
	"fmt"
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
	AwaitCanI(t, c, true, namespace, Developer, "create", "pods")
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

// CanI asks the API server's authorizer whether a user may do something. An answer other than yes or no is an error.
func CanI(ctx context.Context, c *cluster.Cluster, namespace, user, verb, resource string) (bool, error) {
	printed, err := c.Kubectl(ctx, "", "auth", "can-i", verb, resource, "--namespace", namespace, "--as", user)
	answer, _, _ := strings.Cut(strings.TrimSpace(printed), " - ") // a reason may follow a no
	switch {
	case answer == "yes" && err == nil:
		return true, nil
	case answer == "no":
		return false, nil
	case err == nil:
		err = fmt.Errorf("kubectl auth can-i prints %q", printed)
	}
	return false, err
}

// AwaitCanI waits until CanI gives the wanted answer. The authorizer learns of a changed binding a moment later.
func AwaitCanI(t testing.TB, c *cluster.Cluster, wanted bool, namespace, user, verb, resource string) {
	t.Helper()
	what := fmt.Sprintf("the authorizer to say whether %s may %s %s in namespace %s: %t", user, verb, resource,
		namespace, wanted)
	Answers(30*time.Second)(t, what, func(ctx context.Context) (string, bool) {
		may, err := CanI(ctx, c, namespace, user, verb, resource)
		return fmt.Sprintf("%t, error %v", may, err), err == nil && may == wanted
	})
}

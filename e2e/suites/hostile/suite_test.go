// Package hostile_test runs the attempts of four attackers to gain something or to harm others, in a table for each: a
// pod author in an enrolled namespace, a pod author elsewhere, a client that reaches the webhook's port, and the holder
// of the server's token. docs/security.md says what each of them gets.
package hostile_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	patience = 30 * time.Second
	// guardFile is the guard, as it is shipped.
	guardFile = "../../../deploy/guard.yaml"
)

var (
	suite = clustertest.Suite{Prepare: prepare, Finish: func(*cluster.Cluster) error { return installed.Remove() }}
	// The rest is there once the suite's cluster is.
	admin     client.Client
	installed *installation.Installation

	eventually, must = clustertest.Eventually(patience), clustertest.Must
)

// ours are the labels of what the server writes.
var ours = map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare installs everything that is shipped: the server with its rights, the policies and the guard.
func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if admin, err = clustertest.NewAdmin(c, v1alpha1.AddToScheme); err != nil {
		return err
	}
	guard, err := os.ReadFile(guardFile)
	if err != nil {
		return err
	}
	installed, err = installation.Install(ctx, c, installation.Config{Objects: guard})
	return err
}

// userIn returns the client of a user with the ClusterRole "edit" in a namespace and the right to debug its pods, and
// no other right.
func userIn(t *testing.T, namespace string) client.Client {
	t.Helper()
	const user = "mallory"
	debug := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "debug"},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods/ephemeralcontainers"},
			Verbs: []string{"update"}}},
	}
	must(t, admin.Create(t.Context(), debug))
	for kind, name := range map[string]string{"ClusterRole": "edit", "Role": debug.Name} {
		must(t, admin.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}))
	}
	editor, err := client.New(clustertest.ConfigOf(suite.Cluster(t), user), client.Options{Scheme: admin.Scheme()})
	must(t, err)
	return editor
}

// newNamespace creates a namespace until the test ends.
func newNamespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(suite.Cluster(t).RESTConfig())
	must(t, err)
	name := clustertest.Namespace(t, clientset, metav1.ObjectMeta{Labels: labels})
	t.Cleanup(func() {
		_ = admin.Delete(context.WithoutCancel(t.Context()),
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	})
	return name
}

// answerOf returns the text of an error, or "admitted".
func answerOf(err error) string {
	if err == nil {
		return "admitted"
	}
	return fmt.Sprint(err)
}

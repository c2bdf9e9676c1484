// Package grants_test tests the grants with a real API server, and with the real program under its own service account
// and the shipped rights. Every test has a site of its own and leaves the cluster without grants.
package grants_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const patience = 30 * time.Second

var (
	suite = clustertest.Suite{Prepare: prepare}
	// The rest is there once the suite's cluster is.
	admin   client.Client
	program string // the path of sysctl-injector
	serving cluster.ServingCertificate

	untilAnswer      = clustertest.Answers(patience)
	eventually, must = clustertest.Eventually(patience), clustertest.Must
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare installs everything but a server and the configuration by which it is called.
func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if admin, err = clustertest.NewAdmin(c, v1alpha1.AddToScheme); err != nil {
		return err
	}
	if serving, err = c.ServingCertificate(installation.Name + "." + installation.Namespace + ".svc"); err != nil {
		return err
	}
	dir, err := c.MkdirTemp("grants")
	if err != nil {
		return err
	}
	program = filepath.Join(dir, installation.Name)
	if err := installation.Build(ctx, program); err != nil {
		return err
	}
	return installation.Apply(ctx, c, nil)
}

// addAccount makes a service account for a server, and binds it to a ClusterRole.
func addAccount(ctx context.Context, name, role string) error {
	account := metav1.ObjectMeta{Name: name, Namespace: installation.Namespace}
	return errors.Join(
		admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: account}),
		admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind,
				Namespace: installation.Namespace, Name: name}},
		}),
	)
}

// user returns the user name of a service account in the system namespace.
func user(account string) string {
	return "system:serviceaccount:" + installation.Namespace + ":" + account
}

// awaitGone waits until an object is no longer there.
func awaitGone(t *testing.T, object client.Object) {
	t.Helper()
	eventually(t, fmt.Sprintf("%T %s to go", object, object.GetName()), func(ctx context.Context) (bool, error) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

// awaitObject waits until an object is there and as wanted.
func awaitObject[T client.Object](t *testing.T, what string, object T, wanted func(T) bool) {
	t.Helper()
	eventually(t, what, func(ctx context.Context) (bool, error) {
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		return err == nil && wanted(object), client.IgnoreNotFound(err)
	})
}

// run runs a command with input on its standard input.
func run(cmd *exec.Cmd, input string) (stdout, stderr string, err error) {
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// kubectl runs kubectl as an administrator.
func kubectl(t *testing.T, input string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return run(suite.Cluster(t).Command(t.Context(), "kubectl", args...), input)
}

// Package install_test installs sysctl-injector as administrators do: by helm, on a real node, with the real
// cert-manager, the project's own image and two replicas. It counts the pods that are rejected while the installation
// changes.
package install_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	patience = 2 * time.Minute
	pace     = 50 * time.Millisecond

	program   = "sysctl-injector" // and the name of its objects in a cluster
	somaxconn = "net.core.somaxconn = 32768"
)

var (
	must  = clustertest.Must
	suite = clustertest.Suite{
		// A Secret reaches the pods that have mounted it at the kubelet's next round: a minute later, by default.
		Config:  cluster.Config{Node: true, KubeletArgs: []string{"--sync-frequency=2s"}},
		Prepare: prepare,
		Finish:  func(*cluster.Cluster) error { return certManager.stop() },
	}
	clientset *kubernetes.Clientset
	objects   client.Client // of all the kinds that an installation has
	dir       string        // temporary, the cluster's
	helmPath  string
)

func TestMain(m *testing.M) {
	if addresses := os.Getenv(attackVariable); addresses != "" {
		os.Exit(attack(strings.Fields(addresses)))
	}
	code := suite.Run(m)
	printOutcomes(os.Stdout)
	os.Exit(code)
}

func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if dir, err = c.MkdirTemp("install"); err != nil {
		return err
	}
	helm, err := tools.Ensure(ctx, "helm", os.Stderr)
	if err != nil {
		return err
	}
	helmPath = helm.Path("helm")
	if clientset, err = kubernetes.NewForConfig(clustertest.AdminConfig(c)); err != nil {
		return err
	}
	if objects, err = clustertest.NewAdmin(c, cmapi.AddToScheme, v1alpha1.AddToScheme); err != nil {
		return err
	}
	if err := writeImages(ctx); err != nil {
		return fmt.Errorf("build the project's image: %w", err)
	}
	if err := c.ImportImages(ctx, archives...); err != nil {
		return err
	}
	return certManager.prepare(ctx, c)
}

// makeNamespace creates a namespace with the service account "default", unless they exist.
func makeNamespace(t *testing.T, name string, labels map[string]string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	must(t, client.IgnoreAlreadyExists(objects.Create(t.Context(), namespace)))
	must(t, clustertest.MakeServiceAccounts(t.Context(), clientset, name, "default"))
	return name
}

// enrolled are the labels of a namespace that is enrolled.
func enrolled() map[string]string {
	return map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}
}

// eventually waits until a condition returns no error. The failure contains the last error.
func eventually(t *testing.T, what string, condition func(context.Context) error) {
	t.Helper()
	err := await.Answer(t.Context(), what, pace, patience, func(ctx context.Context) (string, bool) {
		err := condition(ctx)
		return fmt.Sprint(err), err == nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, certManager.output())
	}
}

// command runs a program in the cluster's network and returns its output, with errors in it.
func command(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := suite.Cluster(t).Command(t.Context(), name, args...)
	cmd.Env = append(cmd.Env, "HELM_CACHE_HOME="+filepath.Join(dir, "helm"),
		"HELM_CONFIG_HOME="+filepath.Join(dir, "helm"), "HELM_DATA_HOME="+filepath.Join(dir, "helm"))
	output, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

// run runs a program that has to succeed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := command(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v: %s", filepath.Base(name), strings.Join(args, " "), err, output)
	}
	return output
}

func kubectl(t *testing.T, args ...string) string { t.Helper(); return run(t, "kubectl", args...) }

func helm(t *testing.T, args ...string) string { t.Helper(); return run(t, helmPath, args...) }

// Package admission_test tests the real program through kubectl and a real API server, installed as a person would.
// There is no kubelet: pods are created and stay Pending.
package admission_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// policies are in force in the suite's cluster, besides those that are shipped.
//
//go:embed testdata/policies.yaml
var policies []byte

const (
	// initImage is not the default one, so that a lost flag shows.
	initImage = "registry.example.com/mirror/busybox:1.36.1"
	patience  = 30 * time.Second
	pace      = 20 * time.Millisecond
)

var (
	suite     = clustertest.Suite{Parallel: 8, Prepare: prepare, Finish: finish}
	installed *installation.Installation
	client    *kubernetes.Clientset
	node      *readyNode

	awaitAnswer      = clustertest.Answers(patience)
	eventually, must = clustertest.Eventually(patience), clustertest.Must
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if client, err = kubernetes.NewForConfig(clustertest.AdminConfig(c)); err != nil {
		return err
	}
	if node, err = startNode(ctx); err != nil {
		return err
	}
	installed, err = installation.Install(ctx, c, installation.Config{Objects: policies,
		Args: []string{"--init-image=" + initImage}})
	if err != nil {
		return err
	}
	return installPresence(ctx) // after the CRDs, as in the chart: one of its policies has profiles as parameters
}

func finish(c *cluster.Cluster) error {
	return errors.Join(node.remove(context.Background()), checkPermissions(c), installed.Remove())
}

// enrolled are the labels of a namespace that is enrolled.
var enrolled = map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}

// makeNamespace creates a namespace for a test.
func makeNamespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	suite.Cluster(t)
	return clustertest.Namespace(t, client, metav1.ObjectMeta{Labels: labels})
}

// serves reports whether the API server is Kubernetes 1.MINOR or newer.
func serves(t *testing.T, minor uint) bool {
	t.Helper()
	return version.MustParseGeneric(suite.Cluster(t).Version()).AtLeast(version.MajorMinor(1, minor))
}

// awaitPods waits until as many pods of a namespace as wanted match a selector.
func awaitPods(t *testing.T, namespace, selector string, wanted int) []corev1.Pod {
	t.Helper()
	var pods *corev1.PodList
	eventually(t, fmt.Sprintf("%d pods with %s", wanted, selector), func(ctx context.Context) (done bool, err error) {
		pods, err = client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		return err == nil && len(pods.Items) == wanted, err
	})
	return pods.Items
}

func getPod(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	pod, err := client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	return pod
}

// awaitInjection waits until the API server calls the webhook for a namespace. It looks up the namespace's label, and
// the webhook's configuration, in caches of its own: until they are current, it may reject pods.
func awaitInjection(t *testing.T, namespace string) {
	t.Helper()
	what := "the API server to call the webhook for namespace " + namespace
	awaitAnswer(t, what, func(ctx context.Context) (string, bool) {
		pod, err := client.CoreV1().Pods(namespace).Create(ctx, newPod("probe", "net.core.somaxconn = 1024"),
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return fmt.Sprintf("an uninjected pod, error %v", err), err == nil && len(pod.Spec.InitContainers) > 0
	})
}

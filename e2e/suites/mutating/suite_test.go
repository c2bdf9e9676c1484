// Package mutating_test compares injection without the server, by policies that the API server evaluates, with the
// real webhook: both act on the same pods, each in a namespace of its own.
package mutating_test

import (
	"context"
	"maps"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	patience = 30 * time.Second
	pace     = 20 * time.Millisecond

	// byLabel is the label of a namespace that selects the policies that act there. It replaces the label of an
	// installation, because with that label the webhook would act too.
	byLabel = "example.com/injected-by"
)

var (
	suite     = clustertest.Suite{Parallel: 4, Prepare: prepare, Finish: finish}
	installed *installation.Installation
	kube      *kubernetes.Clientset

	awaitAnswer      = clustertest.Answers(patience)
	eventually, must = clustertest.Eventually(patience), clustertest.Must
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if kube, err = kubernetes.NewForConfig(clustertest.AdminConfig(c)); err != nil {
		return err
	}
	if err := createClasses(ctx); err != nil {
		return err
	}
	if installed, err = installation.Install(ctx, c, installation.Config{Objects: objects}); err != nil {
		return err
	}
	return install(ctx, shipped, "policy")
}

func finish(*cluster.Cluster) error { return installed.Remove() }

// webhookLabels and policyLabels are those of namespaces where the webhook acts, and where the policies act.
var (
	webhookLabels = map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}
	policyLabels  = map[string]string{byLabel: "policy"}
)

// makeNamespace creates a namespace for a test.
func makeNamespace(t *testing.T, labels ...map[string]string) string {
	t.Helper()
	suite.Cluster(t)
	all := map[string]string{}
	for _, some := range labels {
		maps.Copy(all, some)
	}
	return clustertest.Namespace(t, kube, metav1.ObjectMeta{Labels: all})
}

func newPod(sysctls string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx:1.29"}}},
	}
	if sysctls != "" {
		pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: sysctls}
	}
	return pod
}

// Package neighbours_test runs sysctl-injector beside the API server's own admission plugins, mutating policies, and
// the webhooks of other projects. The neighbours are in testdata and in the files of this package. Each names the code
// that it follows.
package neighbours_test

import (
	"context"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// plugins are all enabled in the suite's API server, as in hardened clusters. makeNamespace creates their settings.
var plugins = []string{"AlwaysPullImages", "LimitRanger", "DefaultTolerationSeconds", "PodNodeSelector",
	"ServiceAccount"}

const (
	// guardFile is the guard, as it is shipped.
	guardFile = "../../../deploy/guard.yaml"
	image     = "docker.io/library/busybox:1.36"
	patience  = 30 * time.Second
)

var (
	suite = clustertest.Suite{
		Parallel: 8, Prepare: prepare, Finish: func(*cluster.Cluster) error { return installed.Remove() },
		Config: cluster.Config{APIServerArgs: []string{"--enable-admission-plugins=" + strings.Join(plugins, ",")}},
	}
	installed *installation.Installation
	client    *kubernetes.Clientset

	eventually, must = clustertest.Eventually(patience), clustertest.Must
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

func prepare(ctx context.Context, c *cluster.Cluster) error {
	var err error
	if client, err = kubernetes.NewForConfig(clustertest.AdminConfig(c)); err != nil {
		return err
	}
	guard, err := os.ReadFile(guardFile)
	if err != nil {
		return err
	}
	installed, err = installation.Install(ctx, c, installation.Config{Objects: guard})
	return err
}

// makeNamespace creates an enrolled namespace that the guard holds to baseline, with the settings of the plugins: a
// LimitRange, and the annotation of PodNodeSelector.
func makeNamespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	suite.Cluster(t)
	all := map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}
	maps.Copy(all, labels)
	name := clustertest.Namespace(t, client, metav1.ObjectMeta{Labels: all,
		Annotations: map[string]string{"scheduler.alpha.kubernetes.io/node-selector": "tier=any"}})
	limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "defaults"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer,
			DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20m"),
				corev1.ResourceMemory: resource.MustParse("16Mi")},
			Default: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m"),
				corev1.ResourceMemory: resource.MustParse("64Mi")},
			Min: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m")},
		}}}}
	_, err := client.CoreV1().LimitRanges(name).Create(t.Context(), limits, metav1.CreateOptions{})
	must(t, err)
	eventually(t, "the plugin LimitRanger to know its object", func(ctx context.Context) (bool, error) {
		pod, err := client.CoreV1().Pods(name).Create(ctx, newPod("probe"),
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && pod.Spec.Containers[0].Resources.Limits.Cpu().String() == "200m", nil
	})
	return name
}

// create creates a pod. On a busy machine a grant may take longer than an admission may, so it tries that again.
func create(t *testing.T, namespace string, pod *corev1.Pod) (*corev1.Pod, error) {
	t.Helper()
	return clustertest.CreatePod(t.Context(), client.CoreV1().Pods(namespace), pod)
}

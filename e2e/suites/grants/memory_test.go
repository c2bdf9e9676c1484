package grants_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/process"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const mebibyte = 1 << 20

// Pods that their author labels as injected, with as large annotations as the API allows, do not fill the leader's
// memory: neither in a namespace that is not enrolled, where they are not even listed, nor in one that is.
func TestMemoryUnderHostilePods(t *testing.T) {
	const (
		pods = 1400
		// growth is far less than the 350 MiB of all pods, and more than one pod takes.
		growth = 64 * mebibyte
		// limit is the memory limit of a server in the chart.
		limit = 512 * mebibyte
	)
	suite.Cluster(t)
	s := newSite(t, serverConfig{})
	namespace := "hostile"
	s.namespaces = append(s.namespaces, namespace) // to be cleaned up
	must(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	awaitObject(t, "the default service account",
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}},
		func(*corev1.ServiceAccount) bool { return true })
	before := peak(t)
	createHostilePods(t, namespace, pods)

	log := newAudit(t)
	// When this binding is gone, the server has reconciled the namespace.
	over := unused(namespace, "over", "2020-01-01T00:00:00Z")
	must(t, admin.Create(t.Context(), over))
	awaitGone(t, over)
	if listed := listedPods(t, log, namespace); listed > 0 {
		t.Errorf("the pods of a namespace that is not enrolled are listed %d times", listed)
	}
	elsewhere := peak(t)

	// With this label the server looks at them: each asks for a sysctl that a policy allows.
	patch := client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata": {"labels": {"`+v1alpha1.InjectLabel+`": "`+v1alpha1.InjectEnabled+`"}}}`))
	must(t, admin.Patch(t.Context(), namespaceObject(namespace), patch))
	granted := binding(namespace, "default", "net.core.somaxconn")
	must(t, await.Condition(t.Context(), "the grant of the pods", 20*time.Millisecond, 5*time.Minute,
		func(ctx context.Context) (bool, error) {
			err := admin.Get(ctx, client.ObjectKeyFromObject(granted), granted)
			return err == nil, client.IgnoreNotFound(err)
		}))
	if listed := listedPods(t, log, namespace); listed < 2 {
		t.Errorf("%d pods are listed in %d pages", pods, listed)
	}
	enrolled := peak(t)
	t.Logf("highest resident memory: %.0f MiB before, %.0f MiB with %d hostile pods elsewhere, %.0f MiB with them in "+
		"an enrolled namespace", before/mebibyte, elsewhere/mebibyte, pods, enrolled/mebibyte)
	if enrolled-before > growth || enrolled > limit {
		t.Errorf("the highest resident memory was %.0f MiB and is %.0f MiB", before/mebibyte, enrolled/mebibyte)
	}
}

// peak is the highest resident memory of the one server that runs.
func peak(t *testing.T) float64 {
	t.Helper()
	server, err := process.Find(program)
	must(t, err)
	memory, err := server.Memory()
	must(t, err)
	return memory.Peak
}

// createHostilePods creates pods that are labelled as injected, where the webhook is not called.
func createHostilePods(t *testing.T, namespace string, count int) {
	t.Helper()
	const most = 256 << 10 // of all annotations (k8s.io/apimachinery pkg/api/validation, TotalAnnotationSizeLimitB)
	text := "net.core.somaxconn = 1024\n#"
	text += strings.Repeat("x", most-len(text)-len(v1alpha1.SysctlsAnnotation))
	config := suite.Cluster(t).RESTConfig()
	config.ContentType, config.QPS = "application/vnd.kubernetes.protobuf", -1
	creator, err := kubernetes.NewForConfig(config)
	must(t, err)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for n := range count {
		group.Go(func() error {
			_, err := creator.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Name: fmt.Sprintf("hostile-%d", n), Labels: map[string]string{v1alpha1.InjectedLabel: "true"},
					Annotations: map[string]string{v1alpha1.SysctlsAnnotation: text},
				},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
			}, metav1.CreateOptions{})
			return err
		})
	}
	must(t, group.Wait())
	// One call for all of them would take longer than the API server allows.
	t.Cleanup(func() {
		group, ctx := errgroup.WithContext(context.WithoutCancel(t.Context()))
		group.SetLimit(8)
		for n := range count {
			group.Go(func() error {
				return creator.CoreV1().Pods(namespace).Delete(ctx, fmt.Sprintf("hostile-%d", n),
					metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
			})
		}
		must(t, group.Wait())
	})
}

// listedPods returns how often the server has listed the pods of a namespace, counted in pages.
func listedPods(t *testing.T, log *audit, namespace string) int {
	t.Helper()
	listed := 0
	for _, c := range log.calls(t, installation.Name) {
		if c.Verb == "list" && c.ObjectRef.Resource == "pods" && c.ObjectRef.Namespace == namespace {
			listed++
		}
	}
	return listed
}

package admission_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// makeRuntimeClass makes a class for one test: it belongs to no namespace.
func makeRuntimeClass(t *testing.T, class *nodev1.RuntimeClass) {
	t.Helper()
	suite.Cluster(t)
	_, err := client.NodeV1().RuntimeClasses().Create(t.Context(), class, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		_ = client.NodeV1().RuntimeClasses().Delete(context.Background(), class.Name, metav1.DeleteOptions{})
	})
}

func TestGuestKernels(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	tests := []struct {
		name  string
		class nodev1.RuntimeClass
	}{
		{"by the class's label", nodev1.RuntimeClass{
			ObjectMeta: metav1.ObjectMeta{Name: "guest-by-label",
				Labels: map[string]string{v1alpha1.KernelLabel: v1alpha1.KernelLabelGuest}}, Handler: "runc",
		}},
		{"by the class's handler", nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "guest-by-handler"},
			Handler: "kata-qemu"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			makeRuntimeClass(t, &test.class)
			pod := newPod(test.class.Name, "vm.max_map_count = 262144\nnet.core.somaxconn = 1024")
			pod.Spec.RuntimeClassName = ptr.To(test.class.Name)
			newTerminal(t, namespace).must(manifest(t, pod), "create", "-f", "-")
			created := getPod(t, namespace, pod.Name)
			wantInjected(t, created, "vm.max_map_count=262144", "net.core.somaxconn=1024")
			if want, got := statusOf(v1alpha1.GuestKernel, []string{"vm.max_map_count=262144",
				"net.core.somaxconn=1024"}), created.Annotations[v1alpha1.StatusAnnotation]; got != want {
				t.Errorf("the status is %s, want %s", got, want)
			}
		})
	}
}

// rounds is large enough to catch a cache that lags.
const rounds = 20

// whilePaused creates an object and a pod that depends on it before the server can see either. No other test may use
// the server meanwhile: a call to the API server that the pause interrupts can be out of time afterwards.
func whilePaused(t *testing.T, makeObject func(), createPod func() (*corev1.Pod, error)) (pod *corev1.Pod, err error) {
	t.Helper()
	resume, err := installed.Server().Pause()
	must(t, err)
	defer resume()
	makeObject()
	created := make(chan struct{})
	go func() {
		defer close(created)
		pod, err = createPod()
	}()
	// The arrival of the request cannot be observed. If it is late, the round shows less, but never fails wrongly.
	time.Sleep(30 * time.Millisecond)
	resume()
	<-created
	return pod, err
}

// The server's caches may lag behind the API server. A client that has just created the object must not notice. Not in
// parallel with the tests that need the webhook.
func TestClassMadeRightBeforeThePod(t *testing.T) {
	namespace := makeNamespace(t, enrolled)
	newTerminal(t, namespace)
	for i := range rounds {
		class := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("just-made-%d", i)},
			Handler: "kata"}
		pod := newPod(class.Name, "vm.max_map_count = 262144")
		pod.Spec.RuntimeClassName = &class.Name
		created, err := whilePaused(t, func() { makeRuntimeClass(t, class) }, func() (*corev1.Pod, error) {
			return client.CoreV1().Pods(namespace).Create(t.Context(), pod,
				metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		})
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		wantInjected(t, created, "vm.max_map_count=262144")
	}
}

// The same for the pod's namespace.
func TestNamespaceMadeRightBeforeThePod(t *testing.T) {
	newTerminal(t, "default")
	for i := range rounds {
		var namespace string
		created, err := whilePaused(t, func() { namespace = makeNamespace(t, enrolled) },
			func() (*corev1.Pod, error) { return tryToCreate(t, namespace) })
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		wantInjected(t, created, "net.core.somaxconn=1024")
	}
}

// The API server itself looks a namespace's labels up in a cache, so that it may not call the webhook yet. Once it
// calls the webhook, the webhook must know the label.
func TestNamespaceLabelledRightBeforeThePod(t *testing.T) {
	t.Parallel()
	newTerminal(t, "default")
	for i := range rounds {
		namespace := makeNamespace(t, nil)
		patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, v1alpha1.InjectLabel, v1alpha1.InjectEnabled)
		_, err := client.CoreV1().Namespaces().Patch(t.Context(), namespace, "application/merge-patch+json", patch,
			metav1.PatchOptions{})
		must(t, err)
		eventually(t, "the API server to call the webhook", func(context.Context) (bool, error) {
			created, err := tryToCreate(t, namespace)
			if err != nil {
				return false, fmt.Errorf("round %d: %w", i, err)
			}
			if len(created.Spec.InitContainers) == 0 {
				return false, nil
			}
			wantInjected(t, created, "net.core.somaxconn=1024")
			return true, nil
		})
	}
}

// tryToCreate creates a pod that asks for a sysctl, in a dry run.
func tryToCreate(t *testing.T, namespace string) (*corev1.Pod, error) {
	t.Helper()
	return client.CoreV1().Pods(namespace).Create(t.Context(), newPod("web", "net.core.somaxconn = 1024"),
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

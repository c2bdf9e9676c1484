package node_test

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
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/guest/handler"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Pods with a kernel of their own: user-mode Linux, which is a Linux kernel but an ordinary process of the node
// (e2e/framework/guest).

// errNoGuest says why such pods cannot run here. It is nil if they can.
var errNoGuest error

// addGuests adds the runtime to the suite's node. The returned function removes the program.
func addGuests(config *cluster.Config) (remove func()) {
	dir, err := os.MkdirTemp("", "guest-")
	if err != nil {
		errNoGuest = err
		return func() {}
	}
	program, err := handler.Build(context.Background(), dir)
	if errNoGuest = err; err == nil {
		config.Runtimes = map[string]string{handler.Name: program}
	}
	return func() { _ = os.RemoveAll(dir) }
}

// requireGuests skips a test on a machine without guests. In CI, where a skip would go unnoticed, the test fails if the
// machine could have guests.
func requireGuests(t *testing.T) {
	t.Helper()
	switch {
	case errNoGuest == nil:
	case errors.Is(errNoGuest, handler.ErrProcessor), errors.Is(errNoGuest, exec.ErrNotFound) && os.Getenv("CI") == "":
		t.Skipf("SKIPPED, nothing was tested on a kernel of a pod's own: %v", errNoGuest)
	default:
		t.Fatal(errNoGuest)
	}
}

// guestClass is a RuntimeClass with the label of classes whose pods have a kernel of their own.
func guestClass(name string) *nodev1.RuntimeClass {
	labels := map[string]string{v1alpha1.KernelLabel: v1alpha1.KernelLabelGuest}
	return &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Handler: handler.Name}
}

// makeClass makes a class for one test: it belongs to no namespace.
func makeClass(t *testing.T, class *nodev1.RuntimeClass) {
	t.Helper()
	_, err := client.NodeV1().RuntimeClasses().Create(t.Context(), class, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() { deleteClass(t, class.Name) })
}

func deleteClass(t *testing.T, name string) {
	t.Helper()
	if err := client.NodeV1().RuntimeClasses().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

func under(class string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.RuntimeClassName = ptr.To(class) }
}

// runGuest creates a pod with a new RuntimeClass, waits until it runs, and deletes it when the test ends.
func runGuest(t *testing.T, namespace string, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	created := startGuest(t, namespace, pod)
	t.Cleanup(func() {
		// A guest has memory of its own, which the next guest may need.
		_ = client.CoreV1().Pods(namespace).Delete(context.Background(), pod.Name, metav1.DeleteOptions{})
	})
	wantOwnKernel(t, created)
	return created
}

// startGuest does the same as start. The guard may see a new RuntimeClass a moment later than the test, so the test
// tries again if the pod is rejected.
func startGuest(t *testing.T, namespace string, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	defer takeTurn()()
	began := time.Now()
	var created *corev1.Pod
	awaitAnswer(t, "pod "+pod.Name+" to be admitted", func(ctx context.Context) (string, bool) {
		var err error
		created, err = client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
		return fmt.Sprint(err), err == nil
	})
	created = awaitPod(t, created, "to be ready", clustertest.PodReady)
	t.Logf("pod %s was ready after %.1f s", pod.Name, time.Since(began).Seconds())
	return created
}

// wantOwnKernel checks that a pod does not run on this machine's kernel.
func wantOwnKernel(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	machine, err := os.ReadFile(procPath("kernel.version"))
	must(t, err)
	found, err := inside(t, pod, pod.Spec.Containers[0].Name, "cat", procPath("kernel.version"))
	if err != nil || found == strings.TrimSpace(string(machine)) {
		t.Fatalf("the kernel of pod %s is %q: %v", pod.Name, found, err)
	}
}

func TestGuestSetsNodeLevelSysctlsForItselfAlone(t *testing.T) {
	t.Parallel()
	requireGuests(t)
	namespace := makeNamespace(t, enrolled())
	keepsHost(t, "vm.max_map_count")
	class := guestClass("guest")
	makeClass(t, class)
	// Both pods run at the same time, and each has its own values.
	other := runGuest(t, namespace, newPod("other", "", under(class.Name)))
	pod := runGuest(t, namespace, newPod("annotated", "vm.max_map_count = 262144", under(class.Name)))
	wantValues(t, pod, app, "vm.max_map_count = 262144")
	wantValues(t, other, app, "vm.max_map_count = 65530")
	onNodesKernel := ordinary(t)
	for _, each := range []*corev1.Pod{pod, other} {
		wantUnprivileged(t, each, app, onNodesKernel)
		wantReadOnly(t, each, app, "vm.max_map_count=65540")
	}
	wantValues(t, pod, app, "vm.max_map_count = 262144")
}

func TestGuestSetsSysctlsOfAllKinds(t *testing.T) {
	t.Parallel()
	requireGuests(t)
	namespace := makeNamespace(t, enrolled())
	assignments := []string{
		"vm.max_map_count = 131072", "vm.swappiness = 10", "vm.dirty_ratio = 15", "vm.min_free_kbytes = 4096",
		"vm.overcommit_memory = 1",
		"fs.file-max = 200000", "fs.nr_open = 524288", "fs.aio-max-nr = 131072",
		"kernel.pid_max = 65536", "kernel.threads-max = 5000",
		// The sysctls of namespaces are the guest's own, too.
		"net.core.somaxconn = 2048", "kernel.sem = " + semaphores,
	}
	var names []string
	for _, assignment := range assignments {
		name, _, _ := strings.Cut(assignment, " = ")
		names = append(names, name)
	}
	keepsHost(t, names...)
	class := guestClass("guest-of-all-kinds")
	makeClass(t, class)
	allow(t, namespace, "kernel.pid_max", "kernel.threads-max") // which the default policy does not allow
	pod := runGuest(t, namespace, newPod("annotated", strings.Join(assignments, "\n"), under(class.Name)))
	wantValues(t, pod, app, assignments...)
}

// allow adds a policy for one namespace.
func allow(t *testing.T, namespace string, names ...string) {
	t.Helper()
	policy, err := yaml.Marshal(&v1alpha1.SysctlPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "SysctlPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: v1alpha1.SysctlPolicySpec{
			NamespaceSelector: metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			Allow: []v1alpha1.AllowRule{{Names: names}},
		},
	})
	must(t, err)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	must(t, os.WriteFile(file, policy, 0o600))
	if output, err := command(t, "kubectl", "apply", "-f", file); err != nil {
		t.Fatalf("apply a policy: %v: %s", err, output)
	}
}

// The name of a class does not decide: the first class is named like Kata's and gives its pods the node's kernel. The
// second is the sample's with this node's handler instead of Kata's, and its label decides.
func TestNameOfAClassDoesNotDecide(t *testing.T) {
	t.Parallel()
	requireGuests(t)
	namespace := makeNamespace(t, enrolled())
	keepsHost(t, "vm.max_map_count", "kernel.shm_rmid_forced")
	class, pod := decodeKataSample(t)

	t.Run("on the node's kernel is rejected", func(t *testing.T) {
		shared := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: class.Name}, Handler: "runc"}
		makeClass(t, shared)
		for _, rejected := range []*corev1.Pod{pod,
			newPod("annotated", "vm.max_map_count = 262144", under(class.Name))} {
			_, err := client.CoreV1().Pods(namespace).Create(t.Context(), rejected, metav1.CreateOptions{})
			if err == nil || !strings.Contains(err.Error(), "NodeLevel") {
				t.Errorf("pod %s under a RuntimeClass of handler runc: %v, want NodeLevel", rejected.Name, err)
			}
		}
	})
	t.Run("on a guest's passes", func(t *testing.T) {
		class.Handler, class.Labels = handler.Name, guestClass(class.Name).Labels
		makeClass(t, class)
		pod := runGuest(t, namespace, pod)
		wantValues(t, pod, pod.Spec.Containers[0].Name, "vm.max_map_count = 64000", "kernel.shm_rmid_forced = 0")
		wantReadOnly(t, pod, pod.Spec.Containers[0].Name, "vm.max_map_count=65540")
	})
}

func decodeKataSample(t *testing.T) (*nodev1.RuntimeClass, *corev1.Pod) {
	t.Helper()
	var class nodev1.RuntimeClass
	var pod corev1.Pod
	decodeSample(t, "kata-pod.yaml", "RuntimeClass", &class)
	decodeSample(t, "kata-pod.yaml", "Pod", &pod)
	return &class, &pod
}

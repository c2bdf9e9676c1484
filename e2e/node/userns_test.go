package node_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func inUserNamespace(pod *corev1.Pod) { pod.Spec.HostUsers = ptr.To(false) }

// Root of a user namespace is not root on the kernel. The webhook refuses a node-level sysctl there, whatever the node.
func TestNodeLevelSysctlIsRefusedInAUserNamespace(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, optedIn())
	pod := newPod("node-level", "vm.max_map_count = 65540", inUserNamespace)
	_, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "UserNamespace") {
		t.Errorf("a pod of hostUsers: false with a node-level sysctl: %v, want UserNamespace", err)
	}
}

func TestUserNamespace(t *testing.T) {
	t.Parallel()
	assignments := []string{"net.core.somaxconn = 2048", "net.ipv4.ip_local_port_range = 32768 65535", "kernel.sem = 10000 1024000000 500 32000"}
	namespace := makeNamespace(t, optedIn())
	keepsHost(t, "net.core.somaxconn", "net.ipv4.ip_local_port_range", "kernel.sem")
	pod := run(t, namespace, newPod("namespaced", strings.Join(assignments, "\n"), inUserNamespace))
	wantValues(t, pod, app, assignments...)
	wantUnprivileged(t, pod, app, ordinary(t, inUserNamespace))
	output, err := inside(t, pod, app, "cat", "/proc/self/uid_map")
	if mapped := strings.Fields(output); err != nil || len(mapped) != 3 || slices.Equal(mapped[:2], []string{"0", "0"}) {
		t.Errorf("the pod's users are mapped as %q, %v: want another user of the node as its root", output, err)
	}
}

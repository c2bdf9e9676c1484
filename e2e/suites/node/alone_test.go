package node_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// A pod cannot set sysctls by itself, but can with an annotation. The project started from this case.

func TestOrdinaryPodCannotSetSysctls(t *testing.T) {
	t.Parallel()
	// Not even as root, which the default standard allows.
	namespace := makeNamespace(t, guardedAt("baseline"))
	keepsHost(t, "vm.max_map_count", "net.ipv4.tcp_keepalive_intvl")
	pod := run(t, namespace, newPod("ordinary", "", plain))
	for _, assignment := range []string{"vm.max_map_count=65540", "net.ipv4.tcp_keepalive_intvl=70"} {
		wantReadOnly(t, pod, app, assignment)
	}
	wantValues(t, pod, app, "net.ipv4.tcp_keepalive_intvl = 75")
}

func TestPrivilegedPodChangesItsOwnNetworkNamespace(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, nil)
	keepsHost(t, "net.ipv4.tcp_keepalive_intvl")
	pod := run(t, namespace, newPod("privileged", "", plain, func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext.Privileged = ptr.To(true)
	}))
	if output, err := inside(t, pod, app, "sysctl", "-w", "net.ipv4.tcp_keepalive_intvl=70"); err != nil {
		t.Fatalf("a privileged pod cannot set a sysctl: %v: %s", err, output)
	}
	wantValues(t, pod, app, "net.ipv4.tcp_keepalive_intvl = 70")
	other := run(t, namespace, newPod("other", ""))
	wantValues(t, other, app, "net.ipv4.tcp_keepalive_intvl = 75")
}

func TestAnnotationSetsAndAppStaysUnprivileged(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled())
	keepsHost(t, "net.ipv4.tcp_keepalive_intvl", "net.core.somaxconn", "net.ipv4.ip_local_port_range")
	const annotation = `
# As in sysctl.conf.
net.ipv4.tcp_keepalive_intvl = 70
net.core.somaxconn=32768
net.ipv4.ip_local_port_range = 32768   65535
`
	pod := run(t, namespace, newPod("annotated", annotation))
	wantValues(t, pod, app, "net.ipv4.tcp_keepalive_intvl = 70", "net.core.somaxconn = 32768",
		"net.ipv4.ip_local_port_range = 32768 65535")
	wantUnprivileged(t, pod, app, ordinary(t))
	// Another pod has the kernel's default.
	other := run(t, namespace, newPod("other", ""))
	wantValues(t, other, app, "net.ipv4.tcp_keepalive_intvl = 75")
}

func TestNodeLevelSysctlIsRejected(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled())
	keepsHost(t, "vm.max_map_count")
	_, err := client.CoreV1().Pods(namespace).Create(t.Context(), newPod("node-level", "vm.max_map_count = 65540"),
		metav1.CreateOptions{})
	if err == nil {
		t.Fatal("a pod that would change the node is admitted")
	}
	for _, want := range []string{"vm.max_map_count", "node"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the rejection does not say %q: %v", want, err)
		}
	}
}

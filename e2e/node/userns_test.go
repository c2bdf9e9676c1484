package node_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/cluster"
)

func inUserNamespace(pod *corev1.Pod) { pod.Spec.HostUsers = ptr.To(false) }

// Root of a user namespace is not root on the kernel: a node-level sysctl is refused before any node is asked, and a
// namespaced one is admitted. What then comes of it is the node's to say.
func TestUserNamespace(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, optedIn())
	keepsHost(t, "net.core.somaxconn", "vm.max_map_count")
	_, err := client.CoreV1().Pods(namespace).Create(t.Context(), newPod("node-level", "vm.max_map_count = 65540", inUserNamespace), metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "UserNamespace") {
		t.Errorf("a pod of hostUsers: false with a node-level sysctl: %v, want UserNamespace", err)
	}
	pod := create(t, namespace, newPod("namespaced", "net.core.somaxconn = 2048", inUserNamespace))
	if supportsUserNamespaces(t) {
		pod = awaitPod(t, pod, "to be ready", ready)
		wantValues(t, pod, app, "net.core.somaxconn = 2048")
		wantUnprivileged(t, pod, app, ordinary(t, inUserNamespace))
		return
	}
	t.Log("NOT RUN: no sysctl was set in a user namespace. The node's container runtime has none; containerd has from 2.0 on")
	// Neither are pods without an annotation: it is not the injection that keeps this one from starting.
	without := create(t, makeNamespace(t, nil), newPod("without", "", inUserNamespace))
	for _, refused := range []*corev1.Pod{pod, without} {
		wantKubeletRefuses(t, refused, "can't set `spec.hostUsers: false`, runtime does not support user namespaces")
	}
}

// supportsUserNamespaces asks the Node object, in which the kubelet publishes what the runtime says of its default handler.
func supportsUserNamespaces(t *testing.T) bool {
	t.Helper()
	node, err := client.CoreV1().Nodes().Get(t.Context(), cluster.NodeName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the node has %s, whose handlers are %v", node.Status.NodeInfo.ContainerRuntimeVersion, node.Status.RuntimeHandlers)
	for _, handler := range node.Status.RuntimeHandlers {
		if handler.Name == "" && handler.Features != nil && ptr.Deref(handler.Features.UserNamespaces, false) {
			return true
		}
	}
	return false
}

// wantKubeletRefuses waits for the event by which the kubelet says why it makes no sandbox, and checks that nothing of the pod ran.
func wantKubeletRefuses(t *testing.T, pod *corev1.Pod, reason string) {
	t.Helper()
	awaitAnswer(t, "the kubelet to refuse pod "+pod.Name, func(ctx context.Context) (string, bool) {
		events, err := client.CoreV1().Events(pod.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + pod.Name})
		if err != nil {
			return err.Error(), false
		}
		var said []string
		for _, event := range events.Items {
			said = append(said, event.Reason+": "+event.Message)
		}
		return fmt.Sprintf("%q", said), strings.Contains(strings.Join(said, "\n"), "FailedCreatePodSandBox: Failed to create pod sandbox: "+reason)
	})
	pod = awaitPod(t, pod, "to have a status", func(pod *corev1.Pod) bool { return len(pod.Status.ContainerStatuses) > 0 })
	for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if status.ContainerID != "" {
			t.Errorf("container %s of pod %s was made: %+v", status.Name, pod.Name, status)
		}
	}
}

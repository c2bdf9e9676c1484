package node_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

func TestSysctlsHoldAfterARestart(t *testing.T) {
	t.Parallel()
	assignments := []string{"net.core.somaxconn = 2048", "kernel.msgmax = 16384"}
	start := func(t *testing.T) *corev1.Pod {
		pod := run(t, makeNamespace(t, enrolled()), newPod("restarted", strings.Join(assignments, "\n")))
		wantValues(t, pod, app, assignments...)
		return pod
	}
	t.Run("of the app's container", func(t *testing.T) {
		t.Parallel()
		pod := start(t)
		kill(t, strings.TrimPrefix(pod.Status.ContainerStatuses[0].ContainerID, "containerd://"))
		pod = awaitPod(t, pod, "to run again", func(pod *corev1.Pod) bool {
			return pod.Status.ContainerStatuses[0].RestartCount > 0 && clustertest.PodReady(pod)
		})
		wantValues(t, pod, app, assignments...)
		wantUnprivileged(t, pod, app, ordinary(t))
	})
	t.Run("of the whole sandbox", func(t *testing.T) {
		t.Parallel()
		pod := start(t)
		before, init := sandbox(t, pod), pod.Status.InitContainerStatuses[0].ContainerID
		kill(t, before)
		pod = awaitPod(t, pod, "to run again, in another sandbox", func(pod *corev1.Pod) bool {
			return pod.Status.ContainerStatuses[0].RestartCount > 0 &&
				pod.Status.InitContainerStatuses[0].ContainerID != init && clustertest.PodReady(pod)
		})
		if after := sandbox(t, pod); after == before {
			t.Errorf("the sandbox is still %s", after)
		}
		wantValues(t, pod, app, assignments...)
		wantUnprivileged(t, pod, app, ordinary(t))
	})
}

// sandbox is the id of a pod's running sandbox in containerd.
func sandbox(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	listed := onNode(t, "ctr", "--namespace=k8s.io", "containers", "list", "--quiet",
		fmt.Sprintf(`labels."io.kubernetes.pod.uid"==%s,labels."io.cri-containerd.kind"==sandbox`, pod.UID))
	var found []string
	for _, id := range strings.Fields(listed) {
		if process(t, id) != "" {
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		t.Fatalf("pod %s has the running sandboxes %q", pod.Name, found)
	}
	return found[0]
}

// process is the process id, on the node, of a container's first process; empty when it does not run.
func process(t *testing.T, container string) string {
	t.Helper()
	for line := range strings.Lines(onNode(t, "ctr", "--namespace=k8s.io", "tasks", "list")) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == container && fields[2] == "RUNNING" {
			return fields[1]
		}
	}
	return ""
}

// kill ends a container's first process.
func kill(t *testing.T, container string) {
	t.Helper()
	pid := process(t, container)
	if pid == "" {
		t.Fatalf("container %s does not run", container)
	}
	onNode(t, "kill", "-KILL", pid)
}

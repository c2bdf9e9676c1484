package install_test

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// exhaust makes the OOM killer end containers.
//
//go:embed testdata/exhaust.sh
var exhaust string

// exhaustMemory makes the kernel's OOM killer end both servers within a moment.
func exhaustMemory(t *testing.T) func() {
	both := servers(t, system)
	args := []string{"-ec", exhaust, "exhaust"}
	for _, server := range both {
		args = append(args, strings.TrimPrefix(server.Status.ContainerStatuses[0].ContainerID, "containerd://"))
	}
	if output, err := suite.Cluster(t).NodeCommand(t.Context(), "sh", args...).CombinedOutput(); err != nil {
		t.Fatalf("take the memory of both servers away: %v: %s", err, output)
	}
	for _, server := range both {
		restarted(t, server)
		if err := outOfMemory(t, server.Name); err != nil {
			t.Error(err)
		}
	}
	return nil
}

// outOfMemory returns an error unless the kubelet reports that the OOM killer ended a server.
func outOfMemory(t *testing.T, name string) error {
	t.Helper()
	pod, err := clientset.CoreV1().Pods(system).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	ended := pod.Status.ContainerStatuses[0].LastTerminationState.Terminated
	if ended == nil || ended.Reason != "OOMKilled" {
		return fmt.Errorf("server %s ended otherwise: %v", name, ended)
	}
	return nil
}

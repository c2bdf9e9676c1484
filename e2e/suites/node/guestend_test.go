package node_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// A guest is many processes on the node. They end with the pod, and those of a pod that still runs end with the node.
func TestGuestLeavesNoProcesses(t *testing.T) {
	t.Parallel()
	clustertest.RequireNode(t)
	requireGuests(t)
	c := clustertest.Start(t, cluster.Config{Node: true, Runtimes: suite.Config.Runtimes})
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	must(t, err)
	_, err = client.NodeV1().RuntimeClasses().Create(t.Context(), guestClass("guest"),
		metav1.CreateOptions{})
	must(t, err)
	must(t, clustertest.MakeServiceAccounts(t.Context(), client, "default", "default"))
	namespace, err := c.NodeCommand(t.Context(), "readlink", "/proc/self/ns/pid").Output()
	must(t, err)
	guests := func() []string { return guestProcesses(t, strings.TrimSpace(string(namespace))) }
	pods := client.CoreV1().Pods("default")
	start := func(name string) {
		_, err := pods.Create(t.Context(), newPod(name, "", under("guest")), metav1.CreateOptions{})
		must(t, err)
		eventually(t, "pod "+name+" to be ready", func(ctx context.Context) (bool, error) {
			pod, err := pods.Get(ctx, name, metav1.GetOptions{})
			return err == nil && clustertest.PodReady(pod), err
		})
		if len(guests()) == 0 {
			t.Fatal("the test does not see the guest of a running pod")
		}
	}
	start("deleted")
	must(t, pods.Delete(t.Context(), "deleted", metav1.DeleteOptions{}))
	eventually(t, "the end of the guest", func(context.Context) (bool, error) { return len(guests()) == 0, nil })
	start("running")
	must(t, c.Stop())
	if found := guests(); len(found) > 0 {
		t.Errorf("after Stop there is still\n%s", strings.Join(found, "\n"))
	}
}

// guestProcesses lists the processes of guests, and the processes that stand for them, in a node's namespace.
func guestProcesses(t *testing.T, namespace string) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	var found []string
	for _, dir := range dirs {
		// A process may end while the list is read. One that has ended has no command line.
		link, _ := os.Readlink(filepath.Join(dir, "ns", "pid"))
		content, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		line := strings.ReplaceAll(string(content), "\x00", " ")
		if link == namespace && (strings.Contains(line, "linux.uml") || strings.Contains(line, " keeper ") ||
			strings.Contains(line, " attach ")) {
			found = append(found, dir+" "+line)
		}
	}
	return found
}

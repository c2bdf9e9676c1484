package cluster_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-helpers/node/util/sysctl"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
)

// runPod makes a pod on a cluster's node and waits until its program runs. Without the probe the pod would be Ready
// while its shell has not started the program yet.
func runPod(ctx context.Context, c *cluster.Cluster) error {
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	if err != nil {
		return err
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "running"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: images.App,
			ReadinessProbe: &corev1.Probe{
				ProbeHandler: corev1.ProbeHandler{
					TCPSocket: &corev1.TCPSocketAction{Port: intstr.Parse(images.AppPort)}},
				PeriodSeconds: 1,
			}}}},
	}
	if _, err := client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil &&
		!apierrors.IsAlreadyExists(err) {
		return err
	}
	output, err := c.Command(ctx, "kubectl", "wait", "--for=condition=Ready", "pod/running",
		"--timeout=30s").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// processes names the namespace that all processes of a cluster's node are in.
func processes(ctx context.Context, c *cluster.Cluster) (string, error) {
	output, err := c.NodeCommand(ctx, "readlink", "/proc/self/ns/pid").Output()
	return strings.TrimSpace(string(output)), err
}

// nodeRemains lists what is left of a node on this machine: processes in its namespace, pods' processes in its cgroups,
// and its cgroups.
func nodeRemains(t *testing.T, name, namespace string) []string {
	t.Helper()
	found := remains(t, name)
	dirs, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	for _, dir := range dirs {
		// A process may end while the list is read.
		link, _ := os.Readlink(filepath.Join(dir, "ns", "pid"))
		cgroups, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		if link == namespace || strings.Contains(string(cgroups), name) {
			command, _ := os.ReadFile(filepath.Join(dir, "comm"))
			found = append(found, dir+" "+strings.TrimSpace(string(command)))
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		paths, err := filepath.Glob(pattern + name)
		must(t, err)
		found = append(found, paths...)
	}
	return found
}

func TestStopLeavesNothingOfANode(t *testing.T) {
	tunables := machineTunables(t)
	mounts := machineMounts(t)
	c := clustertest.Start(t, cluster.Config{Node: true})
	must(t, runPod(t.Context(), c))
	name := filepath.Base(c.Dir())
	namespace, err := processes(t.Context(), c)
	must(t, err)
	found := strings.Join(nodeRemains(t, name, namespace), "\n")
	for _, part := range []string{"containerd", "kubelet", "containerd-shim", "httpd", "/sys/fs/cgroup/"} {
		if !strings.Contains(found, part) {
			t.Errorf("the test does not see %s of a running node:\n%s", part, found)
		}
	}
	if now := machineTunables(t); now != tunables {
		t.Errorf("the machine's sysctls before the node started:\n%s\nand after:\n%s", tunables, now)
	}
	if before, now := nodeMounts(mounts, name), nodeMounts(machineMounts(t), name); now != before {
		t.Errorf("the machine's mounts before the node started:\n%s\nand after:\n%s", before, now)
	}
	must(t, c.Stop())
	if found := nodeRemains(t, name, namespace); len(found) > 0 {
		t.Errorf("after Stop there is still\n%s", strings.Join(found, "\n"))
	}
}

// machineTunables reads what a kubelet would set.
func machineTunables(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{sysctl.VMOvercommitMemory, sysctl.VMPanicOnOOM, sysctl.KernelPanic,
		sysctl.KernelPanicOnOops, sysctl.RootMaxKeys, sysctl.RootMaxBytes} {
		content, err := os.ReadFile("/proc/sys/" + path)
		must(t, err)
		fmt.Fprintf(&all, "%s = %s", path, content)
	}
	return all.String()
}

// machineMounts lists this machine's mounts.
func machineMounts(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	return string(content)
}

// nodeMounts picks the mounts that the node of a cluster can have made: at the paths that node/node.sh covers, of the
// cluster's files, and of the kubelet. Other programs on the machine mount and unmount at any time. The cluster's
// network namespace is not the node's mount.
func nodeMounts(mountinfo, name string) string {
	const mountPoint = 4 // the fifth field (proc_pid_mountinfo(5))
	covered := []string{"/proc", "/run", "/var/lib", "/var/log"}
	var all strings.Builder
	for line := range strings.Lines(mountinfo) {
		point := strings.Fields(line)[mountPoint]
		if slices.Contains(covered, point) || strings.HasPrefix(point, "/var/lib/kubelet/") ||
			strings.Contains(line, name) && !strings.Contains(line, "/netns") {
			all.WriteString(line)
		}
	}
	return all.String()
}

func TestNothingOfANodeOutlivesAnOwnerThatIsKilled(t *testing.T) {
	clustertest.RequireNode(t)
	owner, said := startOwner(t, nodeOwner)
	name, namespace, _ := strings.Cut(said, " ")
	if found := strings.Join(nodeRemains(t, name, namespace), "\n"); !strings.Contains(found, "httpd") {
		t.Fatalf("the test does not see the pod of a running node:\n%s", found)
	}
	killOwner(t, owner)
	eventually(t, "the end of the processes", func(context.Context) (bool, error) {
		for _, what := range nodeRemains(t, name, namespace) {
			if strings.HasPrefix(what, "/proc/") {
				return false, nil
			}
		}
		return true, nil
	})
	cluster.RemoveStale()
	if found := nodeRemains(t, name, namespace); len(found) > 0 {
		t.Errorf("after RemoveStale there is still\n%s", strings.Join(found, "\n"))
	}
}

func TestANodeRunsItsOwnImages(t *testing.T) {
	c := clustertest.Start(t, cluster.Config{Node: true})
	listed, err := c.NodeCommand(t.Context(), "ctr", "--namespace=k8s.io", "images", "list", "--quiet").Output()
	must(t, err)
	for _, name := range []string{images.Busybox, images.App, images.Pause} {
		if !strings.Contains(string(listed), name) {
			t.Errorf("%s is not on the node: %s", name, listed)
		}
	}
	if err := c.ImportImages(t.Context(), "/nowhere.tar"); err == nil ||
		!strings.Contains(err.Error(), "/nowhere.tar") {
		t.Errorf("the import of no file: %v", err)
	}
}

func killOwner(t *testing.T, owner *exec.Cmd) {
	t.Helper()
	must(t, owner.Process.Kill())
	_ = owner.Wait()
}

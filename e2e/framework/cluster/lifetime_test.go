package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// remains lists what is left of a cluster on this machine: processes, a network namespace and directories. The
// cluster's name is in all of them.
func remains(t *testing.T, name string) []string {
	t.Helper()
	var found []string
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, path := range lines {
		// A process may end while the list is read.
		if line, err := os.ReadFile(path); err == nil && strings.Contains(string(line), name) {
			found = append(found, path+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	for _, dir := range []string{os.TempDir(), "/dev/shm", "/run/netns"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			found = append(found, path)
		}
	}
	return found
}

// mine lists the directories and network namespaces of all clusters this process owns.
func mine(t *testing.T) []string {
	t.Helper()
	self, err := cluster.Self()
	must(t, err)
	var found []string
	for _, dir := range []string{os.TempDir(), "/dev/shm", "/run/netns"} {
		paths, err := filepath.Glob(filepath.Join(dir, "sysctl-injector-"+self.String()+"-*"))
		must(t, err)
		found = append(found, paths...)
	}
	return found
}

// awaitProcessesEnd waits for the end of a cluster's processes.
func awaitProcessesEnd(t *testing.T, name string) {
	t.Helper()
	eventually(t, "the end of the processes", func(context.Context) (bool, error) {
		for _, what := range remains(t, name) {
			if strings.HasPrefix(what, "/proc/") {
				return false, nil
			}
		}
		return true, nil
	})
}

// parts is how many processes a control plane has.
const parts = 4

func TestStopLeavesNothing(t *testing.T) {
	for name, config := range map[string]cluster.Config{"in a network namespace": {},
		"on the loopback": {Loopback: true}} {
		t.Run(name, func(t *testing.T) {
			c := clustertest.Start(t, config)
			cluster := filepath.Base(c.Dir())
			if found := remains(t, cluster); len(found) <= parts {
				t.Fatalf("the test does not see all of a running cluster: %q", found)
			}
			must(t, c.Stop())
			if found := remains(t, cluster); len(found) > 0 {
				t.Errorf("after Stop there is still %q", found)
			}
			if err := c.Stop(); err != nil {
				t.Errorf("a second Stop: %v", err)
			}
		})
	}
}

func TestStartThatFailsNamesThePart(t *testing.T) {
	clustertest.Require(t)
	for _, test := range []struct {
		name   string
		config cluster.Config
		want   []string
	}{
		{
			name:   "a flag the API server does not know",
			config: cluster.Config{APIServerArgs: []string{"--no-such-flag"}},
			want:   []string{"kube-apiserver exited", "unknown flag: --no-such-flag"},
		},
		{
			name:   "a controller manager with a broken configuration",
			config: cluster.Config{ControllerManagerArgs: []string{"--kubeconfig=/nowhere"}},
			want:   []string{"kube-controller-manager exited", "/nowhere"},
		},
		{
			name:   "too little time",
			config: cluster.Config{StartTimeout: 300 * time.Millisecond},
			want:   []string{"is not ready", "deadline exceeded", "the end of its log"},
		},
		{
			name:   "a node on the loopback",
			config: cluster.Config{Node: true, Loopback: true},
			want:   []string{"Node: a node needs a network namespace"},
		},
		{
			name:   "runtimes without a node",
			config: cluster.Config{Runtimes: map[string]string{"own": "/nowhere"}},
			want:   []string{"Runtimes: there is no node"},
		},
		{
			name:   "a runtime in the place of the node's own",
			config: cluster.Config{Node: true, Runtimes: map[string]string{"runc": "/nowhere"}},
			want:   []string{`Runtimes: "runc" is no name`},
		},
		{
			name:   "an argument that is no flag",
			config: cluster.Config{SchedulerArgs: []string{"-v=2"}},
			want:   []string{`SchedulerArgs[0]: "-v=2" is not of the form`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := mine(t)
			c, err := cluster.Start(t.Context(), test.config)
			if err == nil {
				_ = c.Stop()
				t.Fatal("the cluster started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
			if found := mine(t); !slices.Equal(found, before) {
				t.Errorf("directories and namespaces before the failed start: %q, after: %q", before, found)
			}
		})
	}
}

// ownerVariable makes this test program a process that owns a cluster and waits to be killed. Its value says of what
// kind.
const (
	ownerVariable = "SYSCTL_INJECTOR_TEST_OWNER"
	plainOwner    = "plain"
	nodeOwner     = "node"
)

// ownCluster prints the cluster's name; with a node, on which a pod runs then, the namespace of its processes too.
func ownCluster(kind string) {
	c, err := cluster.Start(context.Background(), cluster.Config{Node: kind == nodeOwner})
	said := ""
	if err == nil {
		said = filepath.Base(c.Dir())
	}
	if err == nil && kind == nodeOwner {
		err = runPod(context.Background(), c)
	}
	if err == nil && kind == nodeOwner {
		var namespace string
		namespace, err = processes(context.Background(), c)
		said += " " + namespace
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = fmt.Fprintln(os.Stdout, said)
	time.Sleep(time.Minute)
}

// startOwner starts such a process, and returns what it prints.
func startOwner(t *testing.T, kind string) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	owner := exec.CommandContext(t.Context(), self)
	owner.Env = append(os.Environ(), ownerVariable+"="+kind)
	owner.Stderr = os.Stderr
	output, err := owner.StdoutPipe()
	must(t, err)
	must(t, owner.Start())
	said, err := bufio.NewReader(output).ReadString('\n')
	must(t, err)
	return owner, strings.TrimSpace(said)
}

func TestNothingOutlivesAnOwnerThatIsKilled(t *testing.T) {
	clustertest.Require(t)
	owner, name := startOwner(t, plainOwner)
	if found := remains(t, name); len(found) <= parts {
		t.Fatalf("the test does not see all of a running cluster: %q", found)
	}
	killOwner(t, owner)
	awaitProcessesEnd(t, name)
	cluster.RemoveStale()
	if found := remains(t, name); len(found) > 0 {
		t.Errorf("after RemoveStale there is still %q", found)
	}
}

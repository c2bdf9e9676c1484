package cluster_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// endingVariable makes TestLogsStayIfASuiteFails end as its value says, in a process of its own.
const endingVariable = "SYSCTL_INJECTOR_TEST_ENDING"

// endings are the ways in which a suite ends once its cluster is up.
var endings = map[string]struct {
	end   func(*testing.T)
	stays bool
}{
	"passes": {end: func(*testing.T) {}},
	"fails":  {end: func(t *testing.T) { t.Fatal("it fails") }, stays: true},
	// As a timeout does: in a goroutine of its own, after which no code of the suite runs.
	"panics": {end: func(*testing.T) {
		go panic("it panics")
		select {}
	}, stays: true},
}

func TestLogsStayIfASuiteFails(t *testing.T) {
	if ending, ok := endings[os.Getenv(endingVariable)]; ok {
		suite.Cluster(t)
		ending.end(t)
		return
	}
	clustertest.RequireOwn(t, "it runs suites with clusters of their own")
	clustertest.Require(t)
	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			self, err := os.Executable()
			must(t, err)
			temporary := t.TempDir()
			run := exec.CommandContext(t.Context(), self, "-test.run=^TestLogsStayIfASuiteFails$")
			run.Env = append(os.Environ(), endingVariable+"="+name, "TMPDIR="+temporary)
			output, err := run.CombinedOutput()
			if failed := err != nil; failed != ending.stays {
				t.Fatalf("the suite ends with %v:\n%s", err, output)
			}
			awaitEnd(t, temporary)
			kept, err := filepath.Glob(filepath.Join(temporary, "sysctl-injector-e2e-cluster-*"))
			must(t, err)
			if !ending.stays {
				if len(kept) > 0 {
					t.Errorf("the suite passes and leaves %q", kept)
				}
				return
			}
			if len(kept) != 1 || !strings.Contains(string(output), kept[0]) {
				t.Fatalf("the suite leaves %q, and says\n%s", kept, output)
			}
			log, err := os.ReadFile(filepath.Join(kept[0], "kube-apiserver.log"))
			if err != nil || len(log) == 0 {
				t.Errorf("the API server's log has %d bytes (%v)", len(log), err)
			}
		})
	}
}

// awaitEnd waits until the clusters of a process that has ended are gone. Their files are in a temporary directory.
func awaitEnd(t *testing.T, temporary string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(temporary, "sysctl-injector-[0-9]*"))
	must(t, err)
	for _, path := range left {
		awaitProcessesEnd(t, filepath.Base(path))
	}
	cluster.RemoveStale()
}

package clustertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// logs is a temporary directory for the logs of one cluster, and of the programs that tests start beside it. It is
// removed when the tests pass. It stays when they fail, and when the process dies: a panic and a timeout leave no
// time to clean up.
type logs struct {
	of  string // the suite or the test
	dir string // empty: the configuration has a directory of its own
}

// makeLogs makes the directory, announces it and sets it in the configuration. `go test` shows what a package prints
// when the package fails, so a suite that passes stays silent.
func makeLogs(of string, config *cluster.Config) (logs, error) {
	if config.Dir != "" || config.LogDir != "" {
		return logs{}, nil
	}
	dir, err := os.MkdirTemp("", "sysctl-injector-e2e-"+of+"-*")
	if err != nil {
		return logs{}, err
	}
	config.LogDir = dir
	fmt.Fprintf(os.Stderr, "The logs of %s go to %s. They are removed if it passes.\n", of, dir)
	return logs{of: of, dir: dir}, nil
}

// close removes the directory, or says that it stays.
func (l logs) close(failed bool) {
	switch {
	case l.dir == "":
	case failed:
		fmt.Fprintf(os.Stderr, "%s failed. Its logs are in %s.\n", l.of, l.dir)
	default:
		_ = os.RemoveAll(l.dir)
	}
}

// suiteName is the name of the package under test, from the name of its test program.
func suiteName() string { return strings.TrimSuffix(filepath.Base(os.Args[0]), ".test") }

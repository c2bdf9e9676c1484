// Package clustertest gives tests a cluster, and decides whether they run, are skipped or fail where there is none.
package clustertest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// Wanted is the environment variable that turns the suites on. With the value 1, missing binaries are built, and a test
// that cannot run fails. Without it, such a test is skipped.
const Wanted = "SYSCTL_INJECTOR_E2E"

// Start starts a cluster for one test and stops it when the test ends. The logs stay if the test fails.
func Start(t testing.TB, config cluster.Config) *cluster.Cluster {
	t.Helper()
	RequireOwn(t, "it starts a cluster of its own")
	require(t, config)
	logs, err := makeLogs(testName(t), &config)
	Must(t, err)
	t.Cleanup(func() { logs.close(t.Failed()) })
	c, err := cluster.Start(t.Context(), config)
	if err != nil {
		t.Fatalf("start a cluster: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Errorf("stop the cluster: %v", err)
		}
	})
	return c
}

// Require skips a test that cannot have a cluster without a long build. When the suites are wanted it never skips.
func Require(t testing.TB) {
	t.Helper()
	requireBuilt(t, cluster.Config{})
}

func requireBuilt(t testing.TB, config cluster.Config) {
	t.Helper()
	if os.Getenv(Wanted) == "1" {
		return
	}
	_, err := cluster.FindBinaries(config)
	if errors.Is(err, tools.ErrNotBuilt) {
		t.Skipf("SKIPPED, nothing was tested against a real cluster: %v. `make test-api` builds them (about ten "+
			"minutes, once)", err)
	}
	if err != nil {
		t.Skipf("SKIPPED, nothing was tested against a real cluster: %v", err)
	}
}

// RequireOwn skips a test that cannot run on a cluster that somebody else started, and says why.
func RequireOwn(t testing.TB, why string) {
	t.Helper()
	if cluster.External() {
		t.Skipf("NOT RUN on the cluster of %s: %s", cluster.KubeconfigVariable, why)
	}
}

// RequireNode skips a test on a machine that cannot run a node. In CI, where a skip would go unnoticed, the test fails.
func RequireNode(t testing.TB) {
	t.Helper()
	requireBuilt(t, cluster.Config{Node: true})
	switch err := cluster.NodeSupported(); {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("no node can run on this machine: %v", err)
	default:
		t.Skipf("SKIPPED, nothing was tested on a real node: %v", err)
	}
}

// require skips or fails a test if something that the configuration needs is missing.
func require(t testing.TB, config cluster.Config) {
	t.Helper()
	if cluster.External() {
		return
	}
	if config.Node {
		RequireNode(t)
		return
	}
	requireBuilt(t, config)
}

// Suite is one cluster for all tests of a package. The first test that uses it starts it. Its logs stay if the suite
// fails.
//
//	var suite clustertest.Suite
//
//	func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }
//
//	func TestSomething(t *testing.T) { c := suite.Cluster(t); … }
type Suite struct {
	Config cluster.Config
	// Parallel, if set, is the default of -parallel. It may exceed the number of processors if tests mostly wait.
	Parallel int
	// Prepare, if set, runs once on the fresh cluster: it installs what every test needs.
	Prepare func(context.Context, *cluster.Cluster) error
	// Finish, if set, runs after the last test, with the cluster still up. Its error fails the run.
	Finish func(*cluster.Cluster) error

	once    sync.Once
	logs    logs
	cluster *cluster.Cluster
	err     error
}

// Cluster is the suite's cluster, ready.
func (s *Suite) Cluster(t testing.TB) *cluster.Cluster {
	t.Helper()
	if s.own() {
		RequireOwn(t, "the suite needs a node or flags of its own")
	}
	require(t, s.Config)
	s.once.Do(s.start)
	if s.err != nil {
		t.Fatalf("start the suite's cluster: %v", s.err)
	}
	return s.cluster
}

func (s *Suite) start() {
	// Not a test's context: the cluster outlives the first test.
	ctx := context.Background()
	if s.logs, s.err = makeLogs(suiteName(), &s.Config); s.err != nil {
		return
	}
	if cluster.External() {
		s.cluster, s.err = cluster.Connect(ctx, s.Config)
	} else {
		s.cluster, s.err = cluster.Start(ctx, s.Config)
	}
	if s.err == nil && s.Prepare != nil {
		s.err = s.Prepare(ctx, s.cluster)
	}
}

// own reports whether the suite needs a cluster that it starts itself.
func (s *Suite) own() bool {
	c := s.Config
	return c.Node || len(c.APIServerArgs)+len(c.ControllerManagerArgs)+len(c.SchedulerArgs) > 0
}

// Run runs the package's tests and stops the cluster, if one was started. It returns the exit code.
func (s *Suite) Run(m *testing.M) int {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); s.Parallel > 0 && parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set(strconv.Itoa(s.Parallel))
	}
	code := m.Run()
	if err := s.end(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	s.logs.close(code != 0)
	return code
}

// end finishes the suite and stops its cluster, if one was started.
func (s *Suite) end() error {
	if s.cluster == nil {
		return nil
	}
	var errs []error
	if s.Finish != nil && s.err == nil {
		if err := s.Finish(s.cluster); err != nil {
			errs = append(errs, fmt.Errorf("finish the suite: %w", err))
		}
	}
	if err := s.cluster.Stop(); err != nil {
		errs = append(errs, fmt.Errorf("stop the suite's cluster: %w", err))
	}
	return errors.Join(errs...)
}

package observability_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// promtool runs Prometheus' own checks, and returns what it says.
func promtool(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	found, err := tools.Find("prometheus")
	if errors.Is(err, tools.ErrNotBuilt) {
		if os.Getenv(clustertest.Wanted) != "1" {
			t.Skipf("SKIPPED, nothing was checked by Prometheus: %v. `make test-api` builds it", err)
		}
		found, err = tools.Ensure(t.Context(), "prometheus", os.Stderr)
	}
	must(t, err)
	said, err := exec.CommandContext(t.Context(), found.Path("promtool"), args...).CombinedOutput()
	return string(said), err
}

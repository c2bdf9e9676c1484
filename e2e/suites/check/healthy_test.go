package check_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// On a healthy installation every check passes.
func TestHealthyInstallationPasses(t *testing.T) {
	awaitHealthy(t)
	r, err := check(t.Context(), suite.Cluster(t))
	must(t, err)
	if !r.Installed || r.code != 0 {
		t.Errorf("installed: %t, exit code %d", r.Installed, r.code)
	}
	t.Log(mustShell(t, "sysctl-injector check"))
}

// TestBeforeInstall checks the requirements of an install. Only cert-manager is missing here.
func TestBeforeInstall(t *testing.T) {
	suite.Cluster(t)
	if before.Installed || before.code != 1 {
		t.Errorf("installed: %t, exit code %d", before.Installed, before.code)
	}
	var names []string
	for _, c := range before.findings() {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"CertManager"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, before.findings())
	}
	r, err := check(t.Context(), suite.Cluster(t), "--pre", "--certificates", inspect.SelfManaged)
	if err != nil || len(r.findings()) > 0 || r.code != 0 {
		t.Errorf("%v, exit code %d: %v", err, r.code, r.findings())
	}
}

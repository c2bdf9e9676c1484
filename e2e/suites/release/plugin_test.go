package release_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// installPlugin lets krew install the plugin from the release's manifest and archive, and runs it as kubectl does.
func installPlugin(t *testing.T, dist string) {
	krew, err := tools.Ensure(t.Context(), "krew", os.Stderr)
	must(t, err)
	folder := t.TempDir()
	cmd := exec.Command(krew.Path("krew"), "install", "--manifest="+filepath.Join(dist, "sysctl-injector.yaml"),
		"--archive="+filepath.Join(dist, plugin))
	cmd.Env = append(os.Environ(), "KREW_ROOT="+folder, "KREW_NO_UPGRADE_CHECK=1")
	if output, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(output),
		"Installed plugin: sysctl-injector\n") {
		t.Fatalf("%v: %s", err, output)
	}
	installed := filepath.Join(folder, "bin", "kubectl-sysctl_injector")
	if output := run(t, installed, "version", "--client"); !strings.HasPrefix(output, "sysctl-injector "+version+" (") {
		t.Errorf("it says %q", output)
	}
	if output := run(t, installed, "status", "--help"); !strings.Contains(output,
		"  kubectl sysctl-injector status -n shop\n") {
		t.Errorf("its help is\n%s", output)
	}
}

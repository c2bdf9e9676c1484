package chart_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const manifest = "../../../deploy/install.yaml"

const header = `# Generated from the chart in deploy/helm by ` +
	"`go test ./e2e/suites/chart -update`" + `: do not edit.
# The chart with its default values. It needs cert-manager; docs/install.md tells how it is applied.
apiVersion: v1
kind: Namespace
metadata:
  name: sysctl-injector-system
  labels:
    app.kubernetes.io/name: sysctl-injector
    pod-security.kubernetes.io/enforce: restricted
`

func TestInstallManifest(t *testing.T) {
	got := header + render(t, namespace, "", "--include-crds", "--no-hooks")
	if *update {
		must(t, os.WriteFile(manifest, []byte(got), 0o644))
	}
	want, err := os.ReadFile(manifest)
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what is rendered; `go test ./e2e/suites/chart -update` writes it (-file +rendered):\n%s",
			manifest, diff)
	}
	if first := decode(t, got)[0]; first.GetKind() != "Namespace" || first.GetName() != namespace {
		t.Errorf("the first object is %s %q", first.GetKind(), first.GetName())
	}
}

// An administrator applies the manifest, and applies it again when the API server does not know its kinds yet.
func TestInstallManifestApplies(t *testing.T) {
	c := suite.Cluster(t)
	if err := kubectl(t.Context(), c, "apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f",
		manifest); err != nil {
		t.Error(err)
	}
}

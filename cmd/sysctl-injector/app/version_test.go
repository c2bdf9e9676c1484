package app

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The program says its own version also where the cluster never answers.
func TestVersionOfASilentCluster(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	content := `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],` +
		` users: [{name: u, user: {}}], clusters: [{name: c, cluster: {server: "http://` + silent.Addr().String() + `"}}]}`
	if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := run(t, "", "version", "--kubeconfig", kubeconfig)
	if code != 1 || !strings.HasPrefix(out, "sysctl-injector ") || !strings.Contains(errOut, "Timeout") &&
		!strings.Contains(errOut, "deadline") {
		t.Errorf("exit code %d, output %q, error %q", code, out, errOut)
	}
}

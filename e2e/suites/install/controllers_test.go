package install_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// controllers are cert-manager's, in a process of their own.
type controllers struct {
	path    string
	log     string
	running *exec.Cmd // nil if they are not running
}

var certManager controllers

// prepare builds cert-manager and creates its CRDs, which a chart with Certificates cannot be installed without.
func (m *controllers) prepare(ctx context.Context, c *cluster.Cluster) error {
	built, err := tools.Ensure(ctx, "certmanager", os.Stderr)
	if err != nil {
		return err
	}
	m.path, m.log = built.Path("certmanager"), filepath.Join(dir, "certmanager.log")
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager")
	list.Dir, list.Stderr = built.Module, os.Stderr
	source, err := list.Output()
	if err != nil {
		return fmt.Errorf("find cert-manager's module: %w", err)
	}
	crds := filepath.Join(strings.TrimSpace(string(source)), "deploy", "crds")
	if _, err := c.Kubectl(ctx, "", "apply", "--server-side", "-f", crds); err != nil {
		return fmt.Errorf("create cert-manager's CRDs: %w", err)
	}
	return nil
}

// start starts them unless they run.
func (m *controllers) start(t *testing.T) {
	t.Helper()
	if m.running != nil {
		return
	}
	log, err := os.Create(m.log)
	must(t, err)
	defer log.Close()
	// Not the test's context: they outlive it.
	cmd := suite.Cluster(t).Command(context.Background(), m.path)
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	m.running = cmd
}

func (m *controllers) stop() error {
	if m.running == nil {
		return nil
	}
	err := m.running.Process.Kill()
	_ = m.running.Wait() // it was killed
	m.running = nil
	return err
}

// output returns the end of their log.
func (m *controllers) output() string {
	content, err := os.ReadFile(m.log)
	if err != nil {
		return err.Error()
	}
	return "the end of cert-manager's log:\n" + string(content[max(0, len(content)-4<<10):])
}

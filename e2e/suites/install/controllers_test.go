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
	log     string        // of the last start
	running *exec.Cmd     // nil if they were not started, or were stopped
	exited  chan struct{} // closed when they have ended
}

var certManager controllers

// prepare builds cert-manager and creates its CRDs, which a chart with Certificates cannot be installed without.
func (m *controllers) prepare(ctx context.Context, c *cluster.Cluster) error {
	built, err := tools.Ensure(ctx, "certmanager", os.Stderr)
	if err != nil {
		return err
	}
	m.path = built.Path("certmanager")
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

// start starts them unless they run. A test fails if they have ended by themselves.
func (m *controllers) start(t *testing.T) {
	t.Helper()
	if err := m.ended(); err != nil {
		m.running = nil // the next test starts them again
		t.Fatal(err)
	}
	if m.running != nil {
		return
	}
	c := suite.Cluster(t)
	log, err := c.CreateLog("cert-manager")
	must(t, err)
	defer log.Close()
	// Not the test's context: they outlive it.
	cmd := c.Command(context.Background(), m.path)
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	exited := make(chan struct{})
	m.log, m.running, m.exited = log.Name(), cmd, exited
	go func() {
		_ = cmd.Wait() // ended reports how they ended
		close(exited)
	}()
}

// stop ends them. If they have ended by themselves, the error says so.
func (m *controllers) stop() error {
	if m.running == nil {
		return nil
	}
	err := m.ended()
	if err == nil {
		err = m.running.Process.Kill()
	}
	<-m.exited
	m.running = nil
	return err
}

// ended returns an error if they were started and have ended by themselves.
func (m *controllers) ended() error {
	if m.running == nil {
		return nil
	}
	select {
	case <-m.exited:
		return fmt.Errorf("cert-manager has ended by itself: %s (its log is %s)", m.running.ProcessState, m.log)
	default:
		return nil
	}
}

// output says whether they run, and returns the end of their log.
func (m *controllers) output() string {
	if m.log == "" {
		return "cert-manager was not started"
	}
	content, err := os.ReadFile(m.log)
	if err != nil {
		return err.Error()
	}
	said := "the end of cert-manager's log:\n" + string(content[max(0, len(content)-4<<10):])
	if err := m.ended(); err != nil {
		said = err.Error() + "\n" + said
	}
	return said
}

// Command cluster shows what sysctl-injector does to pods that really run: it starts a cluster with a node, and goes
// from a sysctl that pods may not set to one that is set in an app without any privilege. It is also a check: it ends
// with exit code 1 if anything is not as expected. All programs that it starts end with it.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/demo/narrator"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/guest/handler"
)

func main() { narrator.Main(run) }

func run(ctx context.Context, out io.Writer) (err error) {
	// The builds are not part of the story: the first time, they take minutes.
	if err := cluster.NodeSupported(); err != nil {
		return err
	}
	if _, err := cluster.EnsureBinaries(ctx, cluster.Config{Node: true}); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "demo-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config := cluster.Config{Node: true}
	noGuest := ""
	switch program, err := handler.Build(ctx, dir); {
	case err == nil:
		config.Runtimes = map[string]string{handler.Name: program}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, handler.ErrProcessor):
		noGuest = err.Error()
	default:
		return err
	}

	n := narrator.New(out)
	n.Step("A cluster with a node starts, in namespaces of its own on this machine")
	started := time.Now()
	c, err := cluster.Start(ctx, config)
	if err != nil {
		return err
	}
	s := &story{Narrator: n, cluster: c, noGuest: noGuest}
	defer func() { err = errors.Join(err, s.end()) }() // if it has not come to its end below
	n.Say("Kubernetes %s on %s/%s is ready after %.1f s.", c.Version(), runtime.GOOS, runtime.GOARCH,
		time.Since(started).Seconds())
	if err := s.tell(ctx); err != nil {
		return err
	}
	n.Step("The cluster ends")
	if err := s.end(); err != nil {
		return err
	}
	n.Say("Nothing of it is left. All was as expected, in %.0f s.", time.Since(started).Seconds())
	return nil
}

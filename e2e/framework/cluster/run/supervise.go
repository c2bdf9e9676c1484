package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// The supervisor says it is ready by this word on the first file it inherits.
const (
	readyFD   = 3
	readyWord = "ready"
)

// supervise owns a cluster until it gets a signal.
func supervise(cmd *cobra.Command, dir string, o options) (err error) {
	syscall.CloseOnExec(readyFD) // otherwise the cluster keeps it open too, and the wait never ends
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	c, err := cluster.Start(ctx, cluster.Config{Dir: dir, Node: o.node})
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := c.Stop(); err == nil {
			err = stopErr
		}
	}()
	if o.install {
		if err := install(ctx, c, dir); err != nil {
			return err
		}
	}
	self, err := cluster.Self()
	if err != nil {
		return err
	}
	s := state{
		Supervisor: self,
		Version:    c.Version(),
		Namespace:  c.Namespace(),
		Kubeconfig: c.Kubeconfig(),
		Binaries:   c.Binaries().Dir,
		Dir:        dir,
		Node:       o.node,
		Installed:  o.install,
	}
	if err := s.write(); err != nil {
		return err
	}
	defer s.remove()
	ready := os.NewFile(readyFD, "ready")
	if _, err := ready.WriteString(readyWord); err != nil {
		return err
	}
	if err := ready.Close(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

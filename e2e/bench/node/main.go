//go:build linux

// Command node measures how long a pod takes from its creation to the start of its app on a real node: without an init
// container, with an ordinary one that does nothing, and with the injected one; and where the time goes. All are measured in
// one run, in turns, on one cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/admission/installation"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
	"github.com/sysctl-injector/sysctl-injector/e2e/cluster"
)

// longest bounds a run, should the node stop answering.
const longest = time.Hour

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	var pods int
	var docs string
	cmd := &cobra.Command{
		Use:          "node",
		Short:        "Measure what injection adds to a pod's start on a real node",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			const most = 1000
			if pods < 1 || pods > most {
				return fmt.Errorf("--pods is from 1 to %d", most)
			}
			return run(cmd.Context(), pods, docs, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().IntVar(&pods, "pods", 30, "pods of each case")
	cmd.Flags().StringVar(&docs, "docs", "", "directory of the documentation whose figures are to be renewed")
	return cmd
}

func run(ctx context.Context, pods int, docs string, out, progress io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	machine, err := report.ThisMachine(runtime.Version(), runtime.NumCPU())
	if err != nil {
		return err
	}
	// At this level the kubelet logs when it learns of a pod, and of a container's end.
	c, err := cluster.Start(ctx, cluster.Config{Node: true, KubeletArgs: []string{"--v=2"}, Progress: progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	installed, err := installation.Install(ctx, c, installation.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, installed.Remove()) }()
	if output, err := c.Command(ctx, "kubectl", "apply", "-f", "deploy/guard.yaml").CombinedOutput(); err != nil {
		return fmt.Errorf("install the guard: %w: %s", err, output)
	}
	b, err := newBench(ctx, c)
	if err != nil {
		return err
	}
	if err := b.measure(ctx, pods, progress); err != nil {
		return err
	}
	if err := b.print(out); err != nil || docs == "" {
		return err
	}
	return b.report(machine, c.Version()).Write(docs)
}

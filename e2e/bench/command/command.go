// Package command is the frame of a benchmark as a program.
package command

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// Measure is Main for a program that reports what it measures: on standard output and, with --docs, in the
// documentation.
func Measure(cmd *cobra.Command, measure func(ctx context.Context, progress io.Writer) (report.Report, error)) {
	docs := cmd.Flags().String("docs", "", "directory of the documentation whose figures are renewed")
	Main(cmd, func(ctx context.Context, out, progress io.Writer) error {
		machine, err := report.ThisMachine() // before the measurement: it contains the load
		if err != nil {
			return err
		}
		r, err := measure(ctx, progress)
		if err != nil {
			return err
		}
		return r.Publish(machine, out, *docs)
	})
}

// Main runs the program until it ends, or until a signal ends ctx. The flags have their values when run is called.
func Main(cmd *cobra.Command, run func(ctx context.Context, out, progress io.Writer) error) {
	cmd.Args, cmd.SilenceUsage = cobra.NoArgs, true
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := cmd.ExecuteContext(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

// Installed starts a cluster, installs the program, calls run, and removes both.
func Installed(ctx context.Context, config cluster.Config,
	run func(*cluster.Cluster, *installation.Installation) error) (err error) {
	c, err := cluster.Start(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	installed, err := installation.Install(ctx, c, installation.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, installed.Remove()) }()
	return run(c, installed)
}

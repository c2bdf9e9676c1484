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

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

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

// AddDocs adds the flag for the page that report.Report.Write renews.
func AddDocs(cmd *cobra.Command, docs *string) {
	cmd.Flags().StringVar(docs, "docs", "", "directory of the documentation whose figures are to be renewed")
}

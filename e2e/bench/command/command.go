// Package command is the frame of a benchmark as a program.
package command

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs the program until its end, or until a signal ends ctx. The flags are read when run is called: where that is a method,
// it is one of a pointer to what they are read into.
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

// AddDocs adds the flag for the page that report.Report.Write renews.
func AddDocs(cmd *cobra.Command, docs *string) {
	cmd.Flags().StringVar(docs, "docs", "", "directory of the documentation whose figures are to be renewed")
}

// Command request measures what one admission request costs the server: the webhook beside a bare HTTPS server, which
// is the least that any can do, and beside a webhook written in controller-runtime's own way. All take turns, on one
// processor each time; the requests come from the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/command"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/request/load"
)

type options struct {
	rounds  int
	turn    time.Duration
	program string
}

func main() {
	o := options{}
	cmd := &cobra.Command{Use: "request", Short: "Measure what one admission request costs the server"}
	cmd.Flags().IntVar(&o.rounds, "rounds", 9, "how often each case has its turn")
	cmd.Flags().DurationVar(&o.turn, "turn", 800*time.Millisecond, "how long a turn takes")
	cmd.Flags().StringVar(&o.program, "other", "",
		"another build of the program, which takes turns with this checkout's")
	cmd.AddCommand(&cobra.Command{
		Use: "load", Hidden: true, Args: cobra.NoArgs, SilenceUsage: true,
		Short: "Send requests, as the standard input says",
		RunE:  func(cmd *cobra.Command, _ []string) error { return load.Serve(cmd.InOrStdin(), cmd.OutOrStdout()) },
	})
	command.Measure(cmd, o.run)
}

func (o *options) run(ctx context.Context, progress io.Writer) (r report.Report, err error) {
	if o.rounds < 3 || o.rounds > 100 || o.turn < 100*time.Millisecond || o.turn > time.Minute {
		return r, errors.New("--rounds is from 3 to 100, --turn from 100ms to a minute")
	}
	if runtime.NumCPU() < 2 {
		return r, errors.New("needs two processors: one for the server, one for the requests")
	}
	b, err := start(ctx, *o, progress)
	defer func() { err = errors.Join(err, b.stop()) }()
	if err != nil {
		return r, err
	}
	for round := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds)
		for _, c := range b.cases {
			for _, s := range b.servers {
				if err := b.take(ctx, c, s); err != nil {
					return r, fmt.Errorf("%s, %s: %w", s.name, c, err)
				}
			}
		}
	}
	if err := b.readMemory(); err != nil {
		return r, err
	}
	return b.report(), nil
}

// Command admission measures what an admission costs a real API server: with no webhook, with sysctl-injector, and
// with a MutatingAdmissionPolicy that does the same injection. All are measured in one run, in turns, on one cluster.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/command"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

type options struct {
	rounds, pods, warmUp int
}

func main() {
	o := options{}
	cmd := &cobra.Command{Use: "admission", Short: "Measure what an admission costs a real API server"}
	cmd.Flags().IntVar(&o.rounds, "rounds", 14, "how often each case has its turn")
	cmd.Flags().IntVar(&o.pods, "pods", 150, "pods in a turn")
	cmd.Flags().IntVar(&o.warmUp, "warm-up", 20, "pods before a turn that do not count")
	command.Measure(cmd, o.run)
}

func (o *options) run(ctx context.Context, progress io.Writer) (r report.Report, err error) {
	const most = 1000
	if o.rounds < 1 || o.pods < 1 || o.rounds > most || o.pods > most || o.warmUp < 0 || o.warmUp > most {
		return r, fmt.Errorf("--rounds and --pods are from 1 to %d, --warm-up is at most that", most)
	}
	err = command.Installed(ctx, cluster.Config{Progress: progress},
		func(c *cluster.Cluster, installed *installation.Installation) error {
			b, err := newBench(ctx, c, installed.Program, *o)
			if err != nil {
				return err
			}
			if err := b.sameInjection(ctx); err != nil {
				return err
			}
			for round := range o.rounds {
				fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds)
				for _, turn := range b.turns {
					if err := b.take(ctx, turn); err != nil {
						return fmt.Errorf("%s: %w; the server's log:\n%s", turn.name, err, installed.Log())
					}
				}
			}
			r, err = b.report(c.Version())
			return err
		})
	return r, err
}

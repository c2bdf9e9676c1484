// Command growth measures how the cost of a decision grows with what is asked and with what a cluster holds. It runs
// the real handler in this process, without a network, over caches of the kind that the server fills from an API
// server: tens of thousands of objects are there at once, which an API server would take many minutes to create.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/command"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/process"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
)

type options struct {
	rounds int
	turn   time.Duration
}

func main() {
	o := options{}
	cmd := &cobra.Command{Use: "growth", Short: "Measure how the cost of a decision grows"}
	cmd.Flags().IntVar(&o.rounds, "rounds", 5, "how often each point is measured")
	cmd.Flags().DurationVar(&o.turn, "turn", 200*time.Millisecond, "how long that takes")
	command.Measure(cmd, o.run)
}

func (o *options) run(ctx context.Context, progress io.Writer) (report.Report, error) {
	r := report.Report{Name: "growth"}
	if o.rounds < 1 || o.rounds > 100 || o.turn < time.Millisecond || o.turn > time.Minute {
		return r, fmt.Errorf("--rounds is from 1 to 100, --turn from 1ms to 1m")
	}
	runtime.GOMAXPROCS(1)
	for _, c := range curves {
		fmt.Fprintln(progress, c.name)
		table := report.Table{{c.name, "CPU of a request", "beside the first"}}
		chart := report.Chart{Title: c.title, XName: c.name, YName: "µs",
			Series: []report.Series{{Name: "processor time of a request"}}}
		var first time.Duration
		for _, x := range c.points {
			w, err := c.world(x)
			if err != nil {
				return r, fmt.Errorf("%s %d: %w", c.name, x, err)
			}
			cost, err := o.measure(ctx, w)
			if err != nil {
				return r, fmt.Errorf("%s %d: %w", c.name, x, err)
			}
			if first == 0 {
				first = cost
			}
			table.Add(fmt.Sprint(x), report.Microseconds(cost), fmt.Sprintf("%.2f", float64(cost)/float64(first)))
			chart.X = append(chart.X, float64(x))
			chart.Series[0].Y = append(chart.Series[0].Y, float64(cost)/float64(time.Microsecond))
		}
		r.Parts = append(r.Parts, report.Picture{Alt: c.title, File: "bench-growth-" + c.file, Chart: chart}, table)
	}
	return r, nil
}

// measure returns the processor time of one request: the median of the rounds.
func (o *options) measure(ctx context.Context, w *world) (time.Duration, error) {
	this := process.Process(os.Getpid())
	for range w.bodies { // warm up: the grants of every pod are checked once
		if err := w.ask(ctx); err != nil {
			return 0, err
		}
	}
	var costs []time.Duration
	for range o.rounds {
		before, err := this.CPU()
		if err != nil {
			return 0, err
		}
		count := 0
		for start := time.Now(); time.Since(start) < o.turn; count++ {
			if err := w.ask(ctx); err != nil {
				return 0, err
			}
		}
		after, err := this.CPU()
		if err != nil {
			return 0, err
		}
		costs = append(costs, (after-before)/time.Duration(count))
	}
	return report.Median(costs), nil
}

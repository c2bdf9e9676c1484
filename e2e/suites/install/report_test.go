package install_test

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// outcome is a line of the table that the suite ends with.
type outcome struct {
	what string
	tally
}

var (
	outcomesMu sync.Mutex
	outcomes   []outcome
)

func report(what string, counted tally) {
	outcomesMu.Lock()
	defer outcomesMu.Unlock()
	outcomes = append(outcomes, outcome{what, counted})
}

func printOutcomes(out io.Writer) {
	if len(outcomes) == 0 {
		return
	}
	fmt.Fprintf(out, "\nPods that asked for a sysctl, while:\n\n")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tcreated\tof which bare\trejected\tblocked at most\tp50\tp99\ttimes the first\t")
	first := outcomes[0].quantile(0.99)
	for _, o := range outcomes {
		p99 := o.quantile(0.99)
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%.1f\t\n", o.what, o.created, o.bare, o.count()-o.created,
			round(o.blocked),
			round(o.quantile(0.5)), round(p99), float64(p99)/float64(first))
	}
	_ = table.Flush()
	for _, o := range outcomes {
		for _, message := range slices.Sorted(maps.Keys(o.rejected)) {
			fmt.Fprintf(out, "\n%s, %d ×: %s\n", o.what, o.rejected[message], message)
		}
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

func (l tally) quantile(q float64) time.Duration {
	if len(l.durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l.durations))
	return sorted[int(q*float64(len(sorted)-1))]
}

func shortOf(got, wanted int) error { return fmt.Errorf("%d of %d", got, wanted) }

package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

// medians takes the middle of each figure on its own.
func medians(all []figures) figures {
	of := func(figure func(figures) float64) float64 {
		var values []float64
		for _, f := range all {
			values = append(values, figure(f))
		}
		return median(values)
	}
	return figures{
		resident:  of(func(f figures) float64 { return f.resident }),
		peak:      of(func(f figures) float64 { return f.peak }),
		heap:      of(func(f figures) float64 { return f.heap }),
		processor: of(func(f figures) float64 { return f.processor }),
	}
}

// print writes both tables, with everything beside the empty cluster.
func (b *bench) print(out io.Writer, version string) error {
	total := b.namespaces * b.pods
	fmt.Fprintf(out, "\nKubernetes %s, %s, %d processors\n\n", version, runtime.Version(), runtime.NumCPU())
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "state\tresident\tratio\theap in use\thighest resident\tstart to ready\tprocessor until idle\t\n")
	for _, s := range b.states {
		started, processor := "-", "-"
		if s.started > 0 {
			started, processor = fmt.Sprintf("%d ms", s.started.Milliseconds()), fmt.Sprintf("%.2f s", s.figures.processor)
		}
		fmt.Fprintf(table, "%s\t%s\t%.2f\t%s\t%s\t%s\t%s\t\n", s.name, megabytes(s.figures.resident),
			s.figures.resident/b.states[emptyRow].figures.resident, megabytes(s.figures.heap), megabytes(s.figures.peak), started, processor)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	before, last := b.states[othersRow].figures, b.states[len(b.states)-1].figures
	fmt.Fprintf(out, "\n%d pods that are not injected : none, the same server = %.2f (resident)\n", total,
		b.states[othersRunningRow].figures.resident/b.states[loadRow].figures.resident)
	fmt.Fprintf(out, "each injected pod, with its part of the namespaces and grants = %.1f KiB (resident, after a start)\n",
		(last.resident-before.resident)/1024/float64(total))
	fmt.Fprintf(out, "%d namespaces of each sort. All injected pods were created through the webhook, which made their %d role bindings.\n"+
		"Created in %.0f s (not injected) and %.0f s (injected), %d at a time; %d tried again.\n\n",
		b.namespaces, b.grants, b.othersElapsed.Seconds(), b.ourElapsed.Seconds(), concurrency, b.again.Load())

	table = tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "a dry-run creation, p50\tempty cluster\twith all pods\tratio\t\n")
	for _, row := range []struct {
		name        string
		first, last time.Duration
	}{
		{"without the webhook", b.first.plain, b.last.plain},
		{"injected", b.first.injected, b.last.injected},
		{"what the webhook adds", b.first.injected - b.first.plain, b.last.injected - b.last.plain},
		{"of it in the server (mean)", b.first.own, b.last.own},
	} {
		fmt.Fprintf(table, "%s\t%s\t%s\t%.2f\t\n", row.name, milliseconds(row.first), milliseconds(row.last), float64(row.last)/float64(row.first))
	}
	return table.Flush()
}

func megabytes(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.3f ms", float64(d)/float64(time.Millisecond))
}

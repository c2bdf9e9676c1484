package main

import (
	"fmt"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/process"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
)

// medians takes the middle of each figure on its own.
func medians(all []figures) figures {
	of := func(figure func(figures) float64) float64 {
		var values []float64
		for _, f := range all {
			values = append(values, figure(f))
		}
		return report.Median(values)
	}
	return figures{
		Memory: process.Memory{
			Resident:  of(func(f figures) float64 { return f.Resident }),
			Peak:      of(func(f figures) float64 { return f.Peak }),
			Allocated: of(func(f figures) float64 { return f.Allocated }),
			File:      of(func(f figures) float64 { return f.File }),
		},
		Heap:      of(func(f figures) float64 { return f.Heap }),
		Processor: of(func(f figures) float64 { return f.Processor }),
	}
}

// memoryTable compares every state with the empty cluster.
func (b *bench) memoryTable() report.Table {
	table := report.Table{{"state", "resident", "ratio", "allocated", "of files", "heap in use", "highest resident",
		"start to ready", "processor until idle"}}
	for _, s := range b.states {
		started, processor := "-", "-"
		if s.started > 0 {
			started, processor = fmt.Sprintf("%d ms", s.started.Milliseconds()),
				fmt.Sprintf("%.2f s", s.figures.Processor)
		}
		f := s.figures
		table.Add(s.name, report.Mebibytes(f.Resident),
			fmt.Sprintf("%.2f", f.Resident/b.states[emptyRow].figures.Resident),
			report.Mebibytes(f.Allocated), report.Mebibytes(f.File), report.Mebibytes(f.Heap), report.Mebibytes(f.Peak),
			started, processor)
	}
	return table
}

// latencyTable compares the time of a creation on the empty cluster and on the full one.
func (b *bench) latencyTable() report.Table {
	table := report.Table{{"a dry-run creation, p50", "empty cluster", "with all pods", "ratio"}}
	for _, row := range []struct {
		name        string
		first, last time.Duration
	}{
		{"without the webhook", b.first.plain, b.last.plain},
		{"injected", b.first.injected, b.last.injected},
		{"what the webhook adds", b.first.injected - b.first.plain, b.last.injected - b.last.plain},
		{"of it in the server (mean)", b.first.own, b.last.own},
	} {
		table.Add(row.name, report.Milliseconds(row.first), report.Milliseconds(row.last),
			fmt.Sprintf("%.2f", float64(row.last)/float64(row.first)))
	}
	return table
}

// remarks sum up the tables.
func (b *bench) remarks() string {
	total := b.namespaces * b.pods
	before, last := b.states[othersRow].figures, b.states[len(b.states)-1].figures
	return fmt.Sprintf("%d pods that are not injected : none, the same server = %.2f (resident)\n\n"+
		"each injected pod, with its part of the namespaces and grants = %.1f KiB (resident, after a start)\n\n"+
		"%d namespaces of each sort. All injected pods were created through the webhook, which made their %d role "+
		"bindings: "+
		"in %.0f s (not injected) and %.0f s (injected), %d at a time; %d tried again.\n",
		total, b.states[othersRunningRow].figures.Resident/b.states[loadRow].figures.Resident,
		(last.Resident-before.Resident)/1024/float64(total),
		b.namespaces, b.grants, b.othersElapsed.Seconds(), b.ourElapsed.Seconds(), concurrency, b.again.Load())
}

func (b *bench) report(version string) report.Report {
	return report.Report{Name: "memory", Parts: []report.Part{
		report.Text("Kubernetes " + version + "."), b.memoryTable(), report.Text(b.remarks()), b.latencyTable(),
	}}
}

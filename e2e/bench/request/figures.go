package main

import (
	"fmt"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
)

// figure is what is shown of one server in one case: of each value, the median of the rounds.
type figure struct {
	p50, p99, cpu     time.Duration
	rate, allocations float64
}

func (b *bench) figure(c benchCase, s *server) figure {
	of := func(value func(turn) float64) float64 {
		var values []float64
		for _, t := range b.turns {
			if t.of == c.String() && t.server == s.name {
				values = append(values, value(t))
			}
		}
		return report.Median(values)
	}
	return figure{
		p50:         time.Duration(of(func(t turn) float64 { return float64(t.p50) })),
		p99:         time.Duration(of(func(t turn) float64 { return float64(t.p99) })),
		cpu:         time.Duration(of(func(t turn) float64 { return float64(t.cpu) })),
		rate:        of(func(t turn) float64 { return t.rate }),
		allocations: of(func(t turn) float64 { return t.allocations }),
	}
}

// requests is the table of all cases; ratios are to the floor.
func (b *bench) requests() report.Table {
	table := report.Table{{"case", "server", "p50", "ratio", "p99", "CPU", "ratio", "requests/s", "allocations"}}
	for _, c := range b.cases {
		floor := b.figure(c, b.servers[0])
		for _, s := range b.servers {
			f := b.figure(c, s)
			table.Add(c.String(), s.name, report.Microseconds(f.p50), ratio(f.p50, floor.p50),
				report.Microseconds(f.p99),
				report.Microseconds(f.cpu), ratio(f.cpu, floor.cpu), fmt.Sprintf("%.0f", f.rate),
				fmt.Sprintf("%.0f", f.allocations))
		}
	}
	return table
}

// goals is the short table: the webhook in a cluster beside the floor and the typed one, where one client asks.
func (b *bench) goals() report.Table {
	table := report.Table{{"one client", "CPU : floor", "p50 : floor", "typed : p50"}}
	floor, installed, typed := b.servers[0], b.servers[2], b.servers[3]
	for _, c := range b.cases {
		if c.clients == 1 {
			f, i, t := b.figure(c, floor), b.figure(c, installed), b.figure(c, typed)
			table.Add(c.size+" "+c.kind, ratio(i.cpu, f.cpu), ratio(i.p50, f.p50), ratio(t.p50, i.p50))
		}
	}
	return table
}

func (b *bench) memory() report.Table {
	table := report.Table{{"server", "resident", "allocated", "of files", "highest"}}
	for _, s := range b.servers {
		table.Add(s.name, report.Mebibytes(s.memory.Resident), report.Mebibytes(s.memory.Allocated),
			report.Mebibytes(s.memory.File), report.Mebibytes(s.memory.Peak))
	}
	return table
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }

func (b *bench) report() report.Report {
	requests := 0
	for _, t := range b.turns {
		requests += t.requests
	}
	return report.Report{Name: "request", Parts: []report.Part{
		b.goals(),
		report.Picture{Alt: "CPU time of a request", File: "bench-request-cpu",
			Chart: b.chart("Processor time of a request in the server, one client",
				func(f figure) time.Duration { return f.cpu })},
		report.Picture{Alt: "p50 of a request", File: "bench-request-p50",
			Chart: b.chart("p50 of a request, one client", func(f figure) time.Duration { return f.p50 })},
		b.requests(), b.memory(),
		report.Text(fmt.Sprintf("%d requests in %d rounds; of each figure, the median of the rounds. The "+
			"program has %s.",
			requests, b.rounds, report.Mebibytes(float64(b.binary)))),
	}}
}

func (b *bench) chart(title string, value func(figure) time.Duration) report.Chart {
	chart := report.Chart{Title: title, YName: "µs"}
	for _, s := range b.servers {
		series := report.Series{Name: map[string]string{
			floorName: "bare HTTPS server", standaloneName: "sysctl-injector, standalone", clusterName: "in a cluster",
			typedName: "controller-runtime's way",
		}[s.name]}
		for _, c := range b.cases {
			if c.clients == 1 {
				series.Y = append(series.Y, float64(value(b.figure(c, s)))/float64(time.Microsecond))
			}
		}
		chart.Series = append(chart.Series, series)
	}
	for _, c := range b.cases {
		if c.clients == 1 {
			chart.Groups = append(chart.Groups, c.size+" "+c.kind)
		}
	}
	return chart
}

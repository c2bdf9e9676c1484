//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
)

// report returns the tables. Each figure is a median over the pods of its kind.
func (b *bench) report(version string) report.Report {
	return report.Report{Name: "node", Parts: []report.Part{
		report.Text(fmt.Sprintf("Kubernetes %s, %d pods of each kind.", version, len(b.kinds[none].timelines))),
		b.starts(), b.forms(), b.inits(), b.stages(),
	}}
}

// starts is about whole pods.
func (b *bench) starts() report.Table {
	table := starts("a pod with")
	for number := range native {
		b.addStart(&table, number, none, b.ordinary(number))
	}
	return table
}

// forms compares the forms. Pods in a user namespace are compared with such pods.
func (b *bench) forms() report.Table {
	table := starts("the form")
	for _, number := range []int{none, noop, native, injected, raised, verifying} {
		b.addStart(&table, number, none, noop)
	}
	for _, number := range []int{noneUserNamespaced, noopUserNamespaced, userNamespaced} {
		b.addStart(&table, number, noneUserNamespaced, noopUserNamespaced)
	}
	return table
}

func starts(what string) report.Table {
	return report.Table{{what, "pods", "its app has started after", "p90", "beside none", "ratio", ": an ordinary one"}}
}

// addStart compares pods of a kind with those that have no init container, and with those that have an ordinary one.
func (b *bench) addStart(table *report.Table, number, without, ordinary int) {
	kind := b.kinds[number]
	total, bare := median(kind.timelines, timeline.total), median(b.kinds[without].timelines, timeline.total)
	table.Add(kind.name, fmt.Sprint(len(kind.timelines)), milliseconds(total),
		milliseconds(report.Percentile(durations(kind.timelines, timeline.total), 90)), "+"+milliseconds(total-bare),
		fmt.Sprintf("%.2f", float64(total)/float64(bare)), ratio(kind, b.kinds[ordinary], timeline.total))
}

// inits is about the init containers' share of it.
func (b *bench) inits() report.Table {
	table := report.Table{{"the init container", "its share", ": an ordinary one", "of it work", ": an ordinary one",
		"of it the kubelet's wait"}}
	for number := noop; number < native; number++ {
		kind, ordinary := b.kinds[number], b.kinds[b.ordinary(number)]
		table.Add(kind.name, milliseconds(median(kind.timelines, timeline.share)),
			ratio(kind, ordinary, timeline.share),
			milliseconds(median(kind.timelines, timeline.work)), ratio(kind, ordinary, timeline.work),
			milliseconds(median(kind.timelines, timeline.wait)))
	}
	return table
}

// ordinary returns the kind to compare with: the init container written by hand, in a pod with or without limits.
func (b *bench) ordinary(number int) int {
	if number == noopLimited || number == injectedLimited {
		return noopLimited
	}
	return noop
}

func (b *bench) stages() report.Table {
	header := []string{"where the time goes"}
	for _, kind := range b.kinds[:injected+1] {
		header = append(header, kind.name)
	}
	table := report.Table{append(header, "injected : ordinary")}
	for _, stage := range append(stages, beside...) {
		row := []string{stage.name}
		for i, kind := range b.kinds[:injected+1] {
			if stage.onlyInit && i == none {
				row = append(row, "-")
				continue
			}
			row = append(row, milliseconds(median(kind.timelines, stage.of)))
		}
		table.Add(append(row, ratio(b.kinds[injected], b.kinds[noop], stage.of))...)
	}
	return table
}

func ratio(kind, to *kind, of func(timeline) time.Duration) string {
	return fmt.Sprintf("%.2f", float64(median(kind.timelines, of))/float64(median(to.timelines, of)))
}

func median(timelines []timeline, of func(timeline) time.Duration) time.Duration {
	return report.Median(durations(timelines, of))
}

func durations(timelines []timeline, of func(timeline) time.Duration) []time.Duration {
	var all []time.Duration
	for _, t := range timelines {
		all = append(all, of(t))
	}
	return all
}

// milliseconds rounds a duration to the precision of the measurements.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
)

// print writes the tables. Each figure is a median over the pods of its kind.
func (b *bench) print(out io.Writer) error {
	for _, table := range []report.Table{b.starts(), b.forms(), b.inits(), b.stages(), b.copies()} {
		fmt.Fprintln(out)
		if err := table.Print(out); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "\n%s\n", b.alone)
	return err
}

func (b *bench) report(machine report.Machine, version string) report.Report {
	var section strings.Builder
	fmt.Fprintf(&section, "Kubernetes %s, %d pods of each kind.\n\n", version, len(b.kinds[none].timelines))
	for _, table := range []report.Table{b.starts(), b.forms(), b.inits(), b.stages(), b.copies()} {
		fmt.Fprintf(&section, "%s\n", table.Markdown())
	}
	fmt.Fprintln(&section, b.alone)
	figures := map[string]any{"kubernetes": version}
	for _, kind := range b.kinds {
		of := map[string]any{}
		for _, stage := range append([]stage{{name: "to the app's start", of: timeline.total}}, stages...) {
			if !stage.onlyInit || kind.timelines[0].init.id != "" {
				took := durations(kind.timelines, stage.of)
				of[stage.name] = map[string]time.Duration{"p50": report.Median(took),
					"p90": report.Percentile(took, 90)}
			}
		}
		figures[kind.name] = of
	}
	return report.Report{Name: "node", Machine: machine, Section: section.String(), Figures: figures}
}

// starts is about whole pods.
func (b *bench) starts() report.Table {
	table := report.Table{{"a pod with", "pods", "its app has started after", "p90", "beside none", "ratio",
		": an ordinary one"}}
	without := median(b.kinds[none].timelines, timeline.total)
	for _, kind := range b.kinds[:native] {
		total := median(kind.timelines, timeline.total)
		table.Add(kind.name, fmt.Sprint(len(kind.timelines)), milliseconds(total),
			milliseconds(report.Percentile(durations(kind.timelines, timeline.total), 90)),
			"+"+milliseconds(total-without),
			fmt.Sprintf("%.2f", float64(total)/float64(without)), ratio(kind, b.ordinary(kind), timeline.total))
	}
	return table
}

// forms is about how the sysctls get into a pod. Pods in a user namespace are compared with such pods.
func (b *bench) forms() report.Table {
	table := report.Table{{"the form", "pods", "its app has started after", "p90", "beside none", "ratio",
		": an ordinary one"}}
	row := func(number, without, ordinary int) {
		kind := b.kinds[number]
		total, bare := median(kind.timelines, timeline.total), median(b.kinds[without].timelines, timeline.total)
		table.Add(kind.name, fmt.Sprint(len(kind.timelines)), milliseconds(total),
			milliseconds(report.Percentile(durations(kind.timelines, timeline.total), 90)),
			"+"+milliseconds(total-bare),
			fmt.Sprintf("%.2f", float64(total)/float64(bare)), ratio(kind, b.kinds[ordinary], timeline.total))
	}
	for _, number := range []int{none, noop, native, injected, raised, verifying} {
		row(number, none, noop)
	}
	for _, number := range []int{noneUserNamespaced, noopUserNamespaced, userNamespaced} {
		row(number, noneUserNamespaced, noopUserNamespaced)
	}
	return table
}

// inits is about the init containers' share of it.
func (b *bench) inits() report.Table {
	table := report.Table{{"the init container", "its share", ": an ordinary one", "of it work", ": an ordinary one",
		"of it the kubelet's wait"}}
	for _, kind := range b.kinds[noop:native] {
		table.Add(kind.name, milliseconds(median(kind.timelines, timeline.share)),
			ratio(kind, b.ordinary(kind), timeline.share),
			milliseconds(median(kind.timelines, timeline.work)), ratio(kind, b.ordinary(kind), timeline.work),
			milliseconds(median(kind.timelines, timeline.wait)))
	}
	return table
}

// ordinary is what a kind is compared with: the one that somebody wrote by hand, in a pod with or without limits.
func (b *bench) ordinary(kind *kind) *kind {
	if kind == b.kinds[noopLimited] || kind == b.kinds[injectedLimited] {
		return b.kinds[noopLimited]
	}
	return b.kinds[noop]
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

func (b *bench) copies() report.Table {
	table := report.Table{{"what a setting costs", "create", "start, and run", "work", ": copy", "kubelet: volumes",
		"kubelet's wait"}}
	for _, kind := range b.kinds[mains:] {
		table.Add(kind.name,
			milliseconds(median(kind.timelines,
				func(t timeline) time.Duration { return t.init.creation.end.Sub(t.init.creation.begin) })),
			milliseconds(median(kind.timelines,
				func(t timeline) time.Duration { return t.init.exited.Sub(t.init.start.begin) })),
			milliseconds(median(kind.timelines, timeline.work)), ratio(kind, b.kinds[mains], timeline.work),
			milliseconds(median(kind.timelines, func(t timeline) time.Duration { return t.sandbox.begin.Sub(t.seen) })),
			milliseconds(median(kind.timelines, timeline.wait)))
	}
	return table
}

func (a alone) String() string {
	return fmt.Sprintf("busybox by itself, from fork to exit: `sysctl -w` %s, `true` %s.",
		milliseconds(report.Median(a.sysctl)), milliseconds(report.Median(a.nothing)))
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

// milliseconds has no more digits than the figures bear.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

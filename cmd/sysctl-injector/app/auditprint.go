package app

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/sysctl-injector/sysctl-injector/webhook/audit"
)

//go:embed audit.html
var auditPage string

func (o *auditOptions) print(out io.Writer, report audit.Report) error {
	switch o.output {
	case outputJSON:
		return printAs(out, outputJSON, report)
	case outputHTML:
		page, err := template.New("audit").Parse(auditPage)
		if err != nil {
			return err
		}
		return page.Execute(out, report)
	}
	return printAuditTable(out, report)
}

// printAuditTable prints a line for each container, and below the table the reasons of those that stay.
func printAuditTable(out io.Writer, report audit.Report) error {
	width := widthOf(out)
	widest := width // of a row
	if !isTerminal(out) {
		widest = math.MaxInt // for grep
	}
	c := report.Counts
	var text strings.Builder
	if len(report.Workloads) > 0 {
		text.WriteString(auditRows(report, widest))
		text.WriteString("\n")
		reasons(&text, report, width)
	}
	for _, n := range report.Namespaces {
		then := "convert closes it"
		if !n.Converts {
			then = "convert leaves some of these containers"
		}
		wrap(&text, "", fmt.Sprintf("Namespace %s is open to privileged pods only because of this: "+
			"without it, all of its workloads pass %q (%s).", n.Name, n.Standard, then), width)
	}
	if report.NotJudged != "" {
		wrap(&text, "", "Namespaces are not judged: "+report.NotJudged+".", width)
	}
	if len(report.Namespaces) > 0 || report.NotJudged != "" {
		text.WriteString("\n")
	}
	wrap(&text, "", fmt.Sprintf("Workloads: %d looked at, %d with the annotation, %d that set sysctls by hand: "+
		"%d convert, %d in part, %d stay.", c.Workloads, c.Annotated, c.ByHand, c.Converts, c.Partly, c.Stays), width)
	wrap(&text, "", "Policies: "+oneLine(report.Policies)+".", width)
	for _, missing := range report.Incomplete {
		wrap(&text, "", "Not looked at: "+oneLine(missing), width)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// auditRows returns the rows of the table. Cells are cut so that a row fits the width.
func auditRows(report audit.Report, width int) string {
	rows := [][]string{{"NAMESPACE", "WORKLOAD", "WHERE", "SETS", "CONVERTS"}}
	for _, f := range report.Workloads {
		name := f.Kind + "/" + f.Name
		if f.Pods > 1 {
			name += fmt.Sprintf(" (%d pods)", f.Pods)
		}
		for _, container := range f.Containers {
			verdict := "yes"
			switch {
			case container.Manual:
				verdict = byHand
			case !container.Converts:
				verdict = "no"
			}
			rows = append(rows, []string{f.Namespace, name, container.Name, summary(container.Sets), verdict})
		}
		for _, native := range f.Native {
			verdict := "with --native"
			switch {
			case native.Manual:
				verdict = byHand
			case !native.Converts:
				verdict = "no"
			}
			sets := oneLine(native.Name + " = " + native.Value)
			rows = append(rows, []string{f.Namespace, name, "native", sets, verdict})
		}
	}
	fit(rows, width)
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, columnGap, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	_ = table.Flush() // writes to memory
	return text.String()
}

// byHand stands in the table for pods of a custom resource, which a person has to change.
const byHand = "by hand"

// columnGap is the number of blanks between two columns.
const columnGap = 2

// summary returns the first sysctl and the number of the others.
func summary(sets []string) string {
	switch len(sets) {
	case 0:
		return "-"
	case 1:
		return oneLine(sets[0])
	}
	return fmt.Sprintf("%s, +%d", oneLine(sets[0]), len(sets)-1)
}

// fit cuts the longest cells until each row fits the width.
func fit(rows [][]string, width int) {
	widths := make([]int, len(rows[0]))
	total := columnGap * (len(widths) - 1)
	for column := range widths {
		for _, row := range rows {
			widths[column] = max(widths[column], utf8.RuneCountInString(row[column]))
		}
		total += widths[column]
	}
	const least = 12
	for ; total > width; total-- {
		widest := 0
		for column := range widths {
			if widths[column] > widths[widest] {
				widest = column
			}
		}
		if widths[widest] <= least {
			break
		}
		widths[widest]--
	}
	for _, row := range rows {
		for column, cell := range row {
			if runes := []rune(cell); len(runes) > widths[column] {
				row[column] = string(runes[:widths[column]-1]) + "…"
			}
		}
	}
}

// reasons writes why containers stay.
func reasons(text *strings.Builder, report audit.Report, width int) {
	some, isManual := false, false
	for _, f := range report.Workloads {
		add := func(what string, reasons []string) {
			for _, reason := range reasons {
				some = true
				line := fmt.Sprintf("%s/%s/%s, %s: %s", f.Namespace, f.Kind, f.Name, what, reason)
				wrap(text, "  ", oneLine(line), width)
			}
		}
		for _, c := range f.Containers {
			if isManual = isManual || c.Manual; !c.Manual {
				add(c.Name, c.Reasons)
			}
		}
		for _, native := range f.Native {
			if isManual = isManual || native.Manual; !native.Manual {
				add(native.Name, native.Reasons)
			}
		}
	}
	if isManual {
		some = true
		wrap(text, "  ", byHand+": a custom resource creates these pods, so change that. "+
			"-o json prints the lines for the annotation.", width)
	}
	if some {
		text.WriteString("\n")
	}
}

// wrap writes a sentence in lines that fit the width. All lines but the first are indented.
func wrap(text *strings.Builder, indent, sentence string, width int) {
	column := 0
	for n, word := range strings.Fields(sentence) {
		length := utf8.RuneCountInString(word)
		switch {
		case n == 0:
		case column+1+length > width:
			text.WriteString("\n" + indent)
			column = len(indent)
		default:
			text.WriteString(" ")
			column++
		}
		text.WriteString(word)
		column += length
	}
	text.WriteString("\n")
}

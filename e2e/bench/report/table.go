package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Table is a table of text, of which the first row names the columns.
type Table [][]string

// Add adds a row.
func (t *Table) Add(cells ...string) { *t = append(*t, cells) }

// Print writes the table for a terminal.
func (t Table) Print(out io.Writer) error {
	writer := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range t {
		fmt.Fprintln(writer, strings.Join(row, "\t")+"\t")
	}
	return writer.Flush()
}

// Markdown is the table for a page. The first column is text, all others are numbers.
func (t Table) Markdown() string {
	var text strings.Builder
	for n, row := range t {
		fmt.Fprintf(&text, "| %s |\n", strings.Join(row, " | "))
		if n == 0 {
			text.WriteString("|---|" + strings.Repeat("---:|", len(row)-1) + "\n")
		}
	}
	return text.String()
}

// Percentile returns the value at the given percentage of the sorted values.
func Percentile[T ~int64 | ~float64](values []T, percent int) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*percent/100]
}

// Median returns the middle one.
func Median[T ~int64 | ~float64](values []T) T { return Percentile(values, 50) }

// Microseconds and the others write a figure with its unit.
func Microseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}

// Milliseconds writes a duration.
func Milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// Mebibytes writes a size.
func Mebibytes(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }

package app

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/liggitt/tabwriter"
)

// namespaceAnswer is what the pods of one namespace may set, as `explain -A -o yaml` prints it.
type namespaceAnswer struct {
	Namespace string `json:"namespace"`
	// Enrolled reports whether the webhook acts there. The verdicts do not depend on it.
	Enrolled bool          `json:"enrolled"`
	Sysctls  []Explanation `json:"sysctls"`
}

// hasNo reports whether pods of the namespace may not set at least one of the sysctls on a shared kernel.
func (a namespaceAnswer) hasNo() bool {
	return slices.ContainsFunc(a.Sysctls, func(e Explanation) bool { return !e.Shared.Allowed })
}

// printAnswers prints a line for each namespace and sysctl, and each reason once below the table. The columns are as
// wide as the widest of a page, or of an earlier one.
func printAnswers(out io.Writer, answers iter.Seq[namespaceAnswer]) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.RememberWidths)
	fmt.Fprintln(table, "NAMESPACE\tENROLLED\tNAME\tSHARED KERNEL\tGUEST KERNEL")
	lines := 0
	var reasons []string
	for a := range answers {
		enrolled := "no"
		if a.Enrolled {
			enrolled = "yes"
		}
		for _, e := range a.Sysctls {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", a.Namespace, enrolled, e.Name, e.Shared, e.Guest)
			if e.Shared.Message == "" || len(reasons) > maxExplained {
				continue
			}
			if reason := e.rejection(); !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
		}
		if lines += len(a.Sysctls); lines >= pageSize {
			if err := table.Flush(); err != nil {
				return err
			}
			lines = 0
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(reasons) == 0 || len(reasons) > maxExplained {
		return nil
	}
	_, err := fmt.Fprintf(out, "\n%s\n", strings.Join(reasons, "\n\n"))
	return err
}

// printList prints values one at a time, as printAs prints a slice of them. There is at least one value.
func printList[T any](out io.Writer, format string, values iter.Seq[T]) error {
	if format != outputJSON {
		for value := range values {
			if err := printAs(out, format, []T{value}); err != nil {
				return err
			}
		}
		return nil
	}
	before := "[\n  "
	for value := range values {
		encoded, err := json.MarshalIndent(value, "  ", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s%s", before, encoded); err != nil {
			return err
		}
		before = ",\n  "
	}
	_, err := io.WriteString(out, "\n]\n")
	return err
}

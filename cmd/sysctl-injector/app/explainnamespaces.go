package app

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
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

// printAnswers prints a line for each namespace and sysctl, and each reason once below the table.
func printAnswers(out io.Writer, answers []namespaceAnswer) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tENROLLED\tNAME\tSHARED KERNEL\tGUEST KERNEL")
	var reasons []string
	for _, a := range answers {
		enrolled := "no"
		if a.Enrolled {
			enrolled = "yes"
		}
		for _, e := range a.Sysctls {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", a.Namespace, enrolled, e.Name, e.Shared, e.Guest)
			if e.Shared.Message != "" {
				reasons = append(reasons, e.rejection())
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if reasons = distinct(reasons); len(reasons) == 0 || len(reasons) > maxExplained {
		return nil
	}
	_, err := fmt.Fprintf(out, "\n%s\n", strings.Join(reasons, "\n\n"))
	return err
}

package app

import (
	"fmt"
	"io"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

const yellow = "\x1b[33m"

// marks are the characters that lines begin with, and their colors.
var marks = map[inspect.Status]struct{ mark, color string }{
	inspect.Passed:  {"✓", green},
	inspect.Failed:  {"✗", red},
	inspect.Warned:  {"!", yellow},
	inspect.Unknown: {"!", yellow},
}

// printChecks prints a line for each check, and the fix below each check that has not passed. Long lines are not
// wrapped, so that commands can be copied and lines can be found with grep.
func printChecks(out io.Writer, report checkReport) error {
	section := ""
	for _, c := range report.Checks {
		if c.Section != section {
			if section != "" {
				fmt.Fprintln(out)
			}
			section = c.Section
			fmt.Fprintln(out, section)
		}
		if err := printMark(out, c.Status); err != nil {
			return err
		}
		fmt.Fprintln(out, " "+oneLine(c.Message))
		if c.Remedy != "" {
			fmt.Fprintln(out, "    "+oneLine(c.Remedy))
		}
		if c.Command != "" {
			fmt.Fprintln(out, "    $ "+oneLine(c.Command))
		}
	}
	_, err := fmt.Fprintf(out, "\n%d passed, %d failed, %d warnings, %d not checked\n",
		report.Counts.Passed, report.Counts.Failed, report.Counts.Warnings, report.Counts.Unknown)
	return err
}

func printMark(out io.Writer, status inspect.Status) error {
	m := marks[status]
	if t, ok := out.(*terminal); ok && t.colored {
		return t.paint(m.color, m.mark)
	}
	_, err := io.WriteString(out, m.mark)
	return err
}

package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
	"golang.org/x/term"
)

const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	reset = "\x1b[0m"
)

// narrator tells a person what happens, in numbered steps.
type narrator struct {
	out    io.Writer
	colors bool
	steps  int
}

// wantsColors tells whether out is for a person at a terminal who wants colors (https://no-color.org).
func wantsColors(out io.Writer) bool {
	file, isFile := out.(*os.File)
	return isFile && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

func (n *narrator) step(format string, args ...any) {
	n.steps++
	fmt.Fprintf(n.out, "\n%s\n", n.painted(bold, fmt.Sprintf("%d. %s", n.steps, fmt.Sprintf(format, args...))))
}

func (n *narrator) say(format string, args ...any) {
	fmt.Fprintf(n.out, "   "+format+"\n", args...)
}

func (n *narrator) command(args []string) {
	fmt.Fprintf(n.out, "   $ %s\n", strings.Join(args, " "))
}

func (n *narrator) problem(text string) { n.quote(n.painted(red, text)) }

func (n *narrator) quote(text string) {
	for line := range strings.Lines(strings.TrimSuffix(text, "\n")) {
		fmt.Fprint(n.out, "   | "+line)
	}
	fmt.Fprintln(n.out)
}

// diff shows what was added and removed. Where lines are left out it shows no numbers: nobody looks them up in a pod.
func (n *narrator) diff(before, after string) {
	var painted strings.Builder
	unified, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		FromFile: "before", ToFile: "after", A: difflib.SplitLines(before), B: difflib.SplitLines(after), Context: 3,
	})
	if err != nil {
		panic(err) // a strings.Builder takes everything
	}
	for line := range strings.Lines(unified) {
		color := ""
		switch line[0] {
		case '+':
			color = green
		case '-':
			color = red
		case '@':
			color, line = cyan, "…"
		}
		painted.WriteString(n.painted(color, strings.TrimSuffix(line, "\n")) + "\n")
	}
	n.quote(painted.String())
}

func (n *narrator) painted(color, text string) string {
	if !n.colors || color == "" {
		return text
	}
	return color + text + reset
}

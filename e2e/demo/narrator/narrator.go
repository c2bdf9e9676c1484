// Package narrator prints what a demonstration does, step by step.
package narrator

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/aymanbagabas/go-udiff"
	"golang.org/x/term"
)

const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	reset = "\x1b[0m"
)

// Narrator prints what happens, in numbered steps.
type Narrator struct {
	out    io.Writer
	colors bool
	steps  int
}

// Main is a demonstration as a program: it runs until its end, or until a signal ends ctx. Anything that is not as
// expected ends it with exit code 1.
func Main(run func(ctx context.Context, out io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nNot as expected:", err)
		os.Exit(1)
	}
}

// New returns a Narrator that prints to out, in colors if the person wants them.
func New(out io.Writer) *Narrator { return &Narrator{out: out, colors: wantsColors(out)} }

// wantsColors reports whether out is the terminal of a person who wants colors (https://no-color.org).
func wantsColors(out io.Writer) bool {
	file, isFile := out.(*os.File)
	return isFile && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// Step begins a step.
func (n *Narrator) Step(format string, args ...any) {
	n.steps++
	fmt.Fprintf(n.out, "\n%s\n", n.painted(bold, fmt.Sprintf("%d. %s", n.steps, fmt.Sprintf(format, args...))))
}

// Say writes a line of its text.
func (n *Narrator) Say(format string, args ...any) {
	fmt.Fprintf(n.out, "   "+format+"\n", args...)
}

// Command shows a command as a person would type it.
func (n *Narrator) Command(args []string) {
	fmt.Fprintf(n.out, "   $ %s\n", strings.Join(args, " "))
}

// Problem quotes an error.
func (n *Narrator) Problem(text string) { n.Quote(n.painted(red, text)) }

// Quote shows a text that a program wrote.
func (n *Narrator) Quote(text string) {
	for line := range strings.Lines(strings.TrimSuffix(text, "\n")) {
		fmt.Fprint(n.out, "   | "+line)
	}
	fmt.Fprintln(n.out)
}

// Diff shows the added and removed lines. It shows no line numbers where lines are left out: they are of no use in a
// pod.
func (n *Narrator) Diff(before, after string) {
	var painted strings.Builder
	for line := range strings.Lines(udiff.Unified("before", "after", before, after)) {
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
	n.Quote(painted.String())
}

func (n *Narrator) painted(color, text string) string {
	if !n.colors || color == "" {
		return text
	}
	return color + text + reset
}

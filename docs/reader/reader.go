// Package reader runs the commands on a page of documentation as its reader does: all of them, in order, in a
// checkout, with the files that the page speaks of. The table pages has the pages, and the table notRun the blocks
// that stay out.
package reader

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/docs/transcript"
)

// Page is a page of documentation, and what its reader has.
type Page struct {
	Path string // in the checkout
	// Test is the test that runs the page. Empty: the page needs no cluster, and the tests of the docs run it.
	Test string
	// Dir is the folder of the checkout in which the reader works. Empty: a folder with links to those of the
	// checkout.
	Dir string
	// Files are those that the page speaks of: a text, or the number of a block of YAML on the page. A block that
	// begins with the name of its file is written by itself.
	Files map[string]any
	// Stages are scripts that run before a block, by the beginning of the block. That of "" runs before all blocks.
	Stages map[string]string
}

// Pages returns all pages with commands.
func Pages() []Page { return pages }

// Find returns the page of a path.
func Find(path string) (Page, bool) {
	for _, page := range pages {
		if page.Path == path {
			return page, true
		}
	}
	return Page{}, false
}

// RunBy returns the pages that a test runs.
func RunBy(test string) []Page {
	var found []Page
	for _, page := range pages {
		if page.Test == test {
			found = append(found, page)
		}
	}
	return found
}

// Reader has a checkout, and a shell in which the programs of the pages work.
type Reader struct {
	// Checkout is the path of the checkout.
	Checkout string
	// Path are folders of programs.
	Path []string
	// Environment has further variables.
	Environment []string
	// Command prepares a program to run where the cluster is reached.
	Command func(ctx context.Context, name string, args ...string) *exec.Cmd
	// Skip, if set, selects blocks and commands that do not run.
	Skip func(transcript.Block, transcript.Command) bool
	// Exact requires that a console prints exactly what the page shows. Otherwise transcript.Matches compares them.
	Exact bool
	// Update, with Exact, writes into the page what its consoles print.
	Update bool
}

// Run runs the commands of a page, but those in the table notRun. A block of "sh" has to succeed. The commands of a
// console have to print what the page says, and to fail where the page says so.
func (r Reader) Run(t *testing.T, page Page) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(r.Checkout, page.Path))
	if err != nil {
		t.Fatal(err)
	}
	dir := Workplace(t, r.Checkout, string(content), page)
	if page.Dir != "" {
		dir = filepath.Join(r.Checkout, page.Dir)
	}
	session, correct := &session{Reader: r, dir: dir}, string(content)
	session.stage(t, page, "")
	for _, block := range transcript.Blocks(string(content)) {
		commands := block.Commands()
		if len(commands) == 0 || WhyNotRun(page.Path, block) != "" {
			continue
		}
		for begins := range page.Stages {
			if begins != "" && strings.HasPrefix(commands[0].Text, begins) {
				session.stage(t, page, begins)
			}
		}
		for _, command := range commands {
			if r.Skip != nil && r.Skip(block, command) {
				continue
			}
			output, err := session.run(t, command.Text)
			if r.Exact && r.Update {
				correct = strings.Replace(correct, "$ "+command.Text+command.Output, "$ "+command.Text+output, 1)
				command.Output = output
			}
			switch {
			case block.Language == "sh" && err != nil:
				t.Fatalf("%s:%d: %v\n%s%s", page.Path, command.Line, err, command.Text, output)
			case block.Language == "sh":
			case r.Exact && output != command.Output, !transcript.Matches(command.Output, output):
				t.Errorf("%s:%d: %s(-page +printed):\n%s", page.Path, command.Line, command.Text,
					cmp.Diff(command.Output, output))
			case (err != nil) != fails(command):
				t.Errorf("%s:%d: %s: %v\n%s", page.Path, command.Line, command.Text, err, output)
			}
		}
	}
	if correct != string(content) && !t.Failed() {
		write(t, filepath.Join(r.Checkout, page.Path), correct)
	}
}

// session is a shell's: variables keep their values from one block of the page to the next.
type session struct {
	Reader
	dir       string
	variables []string
}

// assignment matches the part of a line that sets a variable for the lines and blocks after it.
var assignment = regexp.MustCompile(`(?m)(?:^|export )[A-Z]+=[^ \n]*(?:"[^"\n]*"|\([^\n]*\))?$`)

func (s *session) run(t *testing.T, script string) (string, error) {
	t.Helper()
	cmd := s.Command(t.Context(), "bash", "-e", "-o", "pipefail", "-c", strings.Join(append(s.variables, script), "\n"))
	cmd.Dir = s.dir
	path := strings.Join(append(s.Path, os.Getenv("PATH")), string(os.PathListSeparator))
	cmd.Env = append(append(cmd.Environ(), "PATH="+path), s.Environment...)
	output, err := cmd.CombinedOutput()
	s.variables = append(s.variables, assignment.FindAllString(script, -1)...)
	return string(output), err
}

func (s *session) stage(t *testing.T, page Page, begins string) {
	t.Helper()
	if page.Stages[begins] == "" {
		return
	}
	if output, err := s.run(t, page.Stages[begins]); err != nil {
		t.Fatalf("%s: prepare %q: %v\n%s", page.Path, begins, err, output)
	}
}

// failure matches what a command prints that fails: an error, or a "no" of explain.
var failure = regexp.MustCompile(`(?m)^(error: |Error from server|command terminated with exit code )| {2}no: [A-Z]`)

// fails reports whether the page says that a command fails.
func fails(command transcript.Command) bool { return failure.MatchString(command.Output) }

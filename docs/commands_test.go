package docs_test

import (
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/cmd/sysctl-injector/app"
	"github.com/sysctl-injector/sysctl-injector/docs/reader"
	"github.com/sysctl-injector/sysctl-injector/docs/transcript"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// program is the name under which this test is the program itself, for shells that run the pages' commands.
const program = "sysctl-injector"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == program {
		os.Exit(app.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// known are the other programs that the pages call.
var known = []string{
	"apt-get", "base64", "cat", "cd", "cmp", "cosign", "crane", "ctr", "curl", "echo", "exec", "export", "gh", "git",
	"grep", "helm", "kubectl", "kustomize",
	"ln", "mkdir", "sha256sum", "skopeo", "tar",
}

// Every command of a page is one: the shell reads it, the program has its flags, the Makefile its target, the
// checkout its package.
func TestCommandsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for name, page := range pages(t) {
		for _, block := range transcript.Blocks(page) {
			for _, command := range block.Commands() {
				calls, err := command.Calls()
				if err != nil {
					t.Errorf("%s:%d: %v", name, command.Line, err)
				}
				for _, words := range calls {
					read++
					if problem := problemOf(words, string(makefile)); problem != "" {
						t.Errorf("%s:%d: %s: %s", name, command.Line, strings.Join(words, " "), problem)
					}
				}
			}
		}
	}
	if read < 100 {
		t.Errorf("the pages have %d commands", read)
	}
}

// problemOf says what is wrong with a command.
func problemOf(words []string, makefile string) string {
	if len(words) > 1 && words[0] == "kubectl" && words[1] == program { // as a plugin
		words = words[1:]
	}
	name, args := words[0], words[1:]
	switch {
	case name == program:
		var problem strings.Builder
		if app.Run(append(args, "--help"), strings.NewReader(""), io.Discard, &problem) != 0 {
			return problem.String()
		}
	case name == "make":
		for _, target := range args {
			if !strings.Contains(target, "=") && !strings.Contains(makefile, "\n"+target+":") {
				return "the Makefile has no target " + target
			}
		}
	case name == "go":
		for _, arg := range args {
			path := strings.TrimSuffix(strings.TrimSuffix(arg, "/..."), "/")
			if _, err := os.Stat(filepath.Join(root, path)); strings.HasPrefix(arg, "./") && err != nil {
				return "there is no " + path
			}
		}
	case !slices.Contains(known, name):
		return "no such program is known"
	}
	return ""
}

var update = flag.Bool("update", false, "rewrite what the consoles print")

// Every block of commands is run by a test or in the table of those that are not, and every row of the tables has a
// page.
func TestEveryBlockRuns(t *testing.T) {
	all := pages(t)
	found := map[reader.Exception]int{}
	for name, content := range all {
		for _, block := range transcript.Blocks(content) {
			if block.Language != "sh" && block.Language != "console" {
				continue
			}
			for _, exception := range reader.NotRun() {
				if exception.Is(name, block) {
					found[exception]++
				}
			}
			if _, runs := reader.Find(name); !runs && reader.WhyNotRun(name, block) == "" {
				t.Errorf("%s:%d: no test runs this block; it is missing in docs/reader/pages.go or "+
					"docs/reader/notrun.go",
					name, block.Line)
			}
			if len(block.Commands()) == 0 && reader.WhyNotRun(name, block) == "" {
				t.Errorf("%s:%d: the block has no command: those of a console come after \"$ \"", name, block.Line)
			}
		}
	}
	for _, exception := range reader.NotRun() {
		if exception.Reason == "" || found[exception] != 1 {
			t.Errorf("docs/reader/notrun.go: %d blocks of %s begin with %q, want one with a reason", found[exception],
				exception.Page, exception.Begins)
		}
	}
	for _, page := range reader.Pages() {
		content, exists := all[page.Path]
		if !exists {
			t.Errorf("docs/reader/pages.go: there is no page %s", page.Path)
		}
		for begins := range page.Stages {
			if begins != "" && !slices.ContainsFunc(transcript.Blocks(content), func(block transcript.Block) bool {
				commands := block.Commands()
				return len(commands) > 0 && strings.HasPrefix(commands[0].Text, begins)
			}) {
				t.Errorf("docs/reader/pages.go: no block of %s begins with %q", page.Path, begins)
			}
		}
		if page.Test != "" {
			inSuite(t, page)
		}
	}
}

// Every console that needs no cluster shows what its commands print; -update writes it.
func TestConsoles(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, program)); err != nil {
		t.Fatal(err)
	}
	path := []string{bin}
	helm, noHelm := tools.Find("helm")
	if noHelm == nil {
		path = append(path, helm.Dir)
	}
	for _, page := range reader.Pages() {
		t.Run(page.Path, func(t *testing.T) {
			if page.Test != "" { // its own test does more, on a cluster
				page.Dir, page.Stages = "", nil
			}
			reader.Reader{
				Checkout: root, Path: path, Environment: []string{"KUBECONFIG=" + os.DevNull},
				Command: exec.CommandContext, Exact: true, Update: *update,
				Skip: func(block transcript.Block, command transcript.Command) bool {
					if page.Test != "" {
						return block.Language != "console" || !isOffline(command)
					}
					if noHelm != nil && strings.HasPrefix(command.Text, "helm ") {
						t.Skipf("%s:%d: NOT RUN: %v", page.Path, command.Line, noHelm)
					}
					return false
				},
			}.Run(t, page)
		})
	}
}

// isOffline reports whether a command of a page that needs a cluster does not ask it.
func isOffline(command transcript.Command) bool {
	return slices.ContainsFunc([]string{"inject", "companion", "explain"}, func(name string) bool {
		return strings.HasPrefix(command.Text, program+" "+name+" ")
	})
}

// inSuite checks that the suites have the test that runs a page.
func inSuite(t *testing.T, page reader.Page) {
	t.Helper()
	for _, content := range contents(t, ".go") {
		_, after, found := strings.Cut(content, "\nfunc "+page.Test+"(t *testing.T) {")
		body, _, _ := strings.Cut(after, "\n}\n")
		if found && (strings.Contains(body, `"`+page.Path+`"`) ||
			strings.Contains(body, "reader.RunBy(reader."+page.Test+")")) {
			return
		}
	}
	t.Errorf("docs/reader/pages.go: no suite has the test %q that runs %s", page.Test, page.Path)
}

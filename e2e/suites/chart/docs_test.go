package chart_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/docs/transcript"
)

// kubectl and helm know the subcommands and flags of every command on the pages. docs/commands_test.go does the same
// for all others, the plugin of kubectl among them.
func TestCommandsOfThePages(t *testing.T) {
	c := suite.Cluster(t)
	programs := map[string]string{"kubectl": "kubectl", "helm": findHelm(t)}
	pages, err := filepath.Glob("../../../docs/*.md")
	must(t, err)
	known := map[string]bool{}
	for _, page := range append(pages, "../../../README.md", chart+"/README.md") {
		content, err := os.ReadFile(page)
		must(t, err)
		for _, block := range transcript.Blocks(string(content)) {
			for _, command := range block.Commands() {
				calls, err := command.Calls()
				if err != nil {
					t.Errorf("%s:%d: %v", page, command.Line, err)
				}
				for _, words := range calls {
					program, text := programs[words[0]], strings.Join(words, " ")
					if program == "" || known[text] || strings.HasPrefix(text, "kubectl sysctl-injector ") {
						continue
					}
					known[text] = true
					// What follows "--" is for another program.
					end := slices.Index(append(words, "--"), "--")
					if output, err := c.Command(t.Context(), program,
						append(words[1:end:end], "--help")...).CombinedOutput(); err != nil {
						t.Errorf("%s:%d: %s: %v\n%s", page, command.Line, text, err, output)
					}
				}
			}
		}
	}
	if len(known) < 20 {
		t.Errorf("the pages have %d commands for kubectl and helm", len(known))
	}
}

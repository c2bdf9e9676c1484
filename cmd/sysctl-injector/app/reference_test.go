package app

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

const (
	referencePage  = "../../../docs/cli.md"
	referenceTitle = "# Command line\n\n" +
		"Generated from the commands, by `go test ./cmd/sysctl-injector/app -run TestReference -update`.\n\n"
)

// The reference has every command and flag as the program prints them.
func TestReference(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(referenceTitle)
	root := newCommand(strings.NewReader(""), io.Discard, io.Discard)
	root.InitDefaultCompletionCmd()
	writeReference(t, &page, root)
	if *update {
		if err := os.WriteFile(referencePage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), page.String()); diff != "" {
		t.Errorf("%s differs from the commands (-page +commands):\n%s", referencePage, diff)
	}
}

func writeReference(t *testing.T, page *bytes.Buffer, cmd *cobra.Command) {
	t.Helper()
	cmd.DisableAutoGenTag = true
	link := func(file string) string {
		return "#" + strings.ReplaceAll(strings.TrimSuffix(file, ".md"), "_", "-")
	}
	if err := doc.GenMarkdownCustom(cmd, page, link); err != nil {
		t.Fatal(err)
	}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			writeReference(t, page, child)
		}
	}
}

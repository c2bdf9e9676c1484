package install_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/docs/transcript"
)

// The page leads from nothing to the first injected pod, with every command as it is printed.
func TestGettingStarted(t *testing.T) {
	uninstalled(t)
	content, err := os.ReadFile(root + "/docs/getting-started.md")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		kubectl(t, "delete", "namespace", "shop", "--ignore-not-found")
		uninstalled(t)
	}()
	for _, block := range transcript.Blocks(string(content)) {
		for _, command := range block.Commands() {
			if strings.Contains(command.Text, "make build") {
				continue // the program is built already, and in PATH
			}
			cmd := suite.Cluster(t).Command(t.Context(), "sh", "-c", command.Text)
			cmd.Dir = root
			cmd.Env = append(cmd.Environ(), "PATH="+strings.Join([]string{dir, filepath.Dir(helmPath), suite.Cluster(t).Binaries().Dir, os.Getenv("PATH")}, ":"))
			output, err := cmd.CombinedOutput()
			switch {
			case block.Language == "sh" && err != nil:
				t.Fatalf("docs/getting-started.md:%d: %v\n%s", command.Line, err, output)
			case block.Language == "console" && string(output) != command.Output:
				t.Errorf("docs/getting-started.md:%d: %s(-page +printed):\n%s", command.Line, command.Text, cmp.Diff(command.Output, string(output)))
			}
		}
	}
}

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
	defer cleanUp(t)
	runPage(t, "docs/getting-started.md", "make build") // the program is built already, and in PATH
}

// The README's commands install the chart, where the image is in a registry of one's own.
func TestReadme(t *testing.T) {
	uninstalled(t)
	certManager.start(t)
	defer cleanUp(t)
	const own = "registry.example.com/sysctl-injector:" + released
	tag := suite.Cluster(t).NodeCommand(t.Context(), "ctr", "--namespace=k8s.io", "images", "tag", "--force",
		repository+":"+released, own)
	if output, err := tag.CombinedOutput(); err != nil {
		t.Fatalf("tag the image: %v\n%s", err, output)
	}
	runPage(t, "README.md", "make demo")
	for _, server := range servers(t, system) {
		if image := server.Spec.Containers[0].Image; image != own {
			t.Errorf("a server has the image %s, want %s", image, own)
		}
	}
}

// cleanUp removes what the pages lead to.
func cleanUp(t *testing.T) {
	t.Helper()
	kubectl(t, "delete", "namespace", "shop", "--ignore-not-found")
	uninstalled(t)
	// The certificate that the servers made for themselves is not one that cert-manager's CA has signed.
	kubectl(t, "delete", "secrets", "-n", system, program+"-tls", program+"-ca", "--ignore-not-found")
}

// runPage runs the commands of a page one after another in the checkout, but those of blocks that have the text
// given. It compares what they print, where the page says that.
func runPage(t *testing.T, page, without string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, page))
	must(t, err)
	c := suite.Cluster(t)
	path := strings.Join([]string{dir, filepath.Dir(helmPath), c.Binaries().Dir, os.Getenv("PATH")},
		string(os.PathListSeparator))
	for _, block := range transcript.Blocks(string(content)) {
		if strings.Contains(block.Text, without) {
			continue
		}
		for _, command := range block.Commands() {
			cmd := c.Command(t.Context(), "sh", "-ec", command.Text)
			cmd.Dir = root
			cmd.Env = append(cmd.Environ(), "PATH="+path)
			output, err := cmd.CombinedOutput()
			switch {
			case block.Language == "sh" && err != nil:
				t.Fatalf("%s:%d: %v\n%s", page, command.Line, err, output)
			case block.Language == "console" && string(output) != command.Output:
				t.Errorf("%s:%d: %s(-page +printed):\n%s", page, command.Line, command.Text,
					cmp.Diff(command.Output, string(output)))
			}
		}
	}
}

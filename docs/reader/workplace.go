package reader

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/docs/transcript"
)

// named matches the name of a file at the beginning of its block.
var named = regexp.MustCompile(`^# ([a-z-]+\.yaml)\n`)

// Workplace makes a folder as the reader of a page has it: the folders of the checkout, and the page's files.
func Workplace(t *testing.T, checkout, content string, page Page) string {
	t.Helper()
	dir := t.TempDir()
	absolute, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"cmd", "deploy", "docs", "templates"} {
		if err := os.Symlink(filepath.Join(absolute, folder), filepath.Join(dir, folder)); err != nil {
			t.Fatal(err)
		}
	}
	var manifests []string
	for _, block := range transcript.Blocks(content) {
		if block.Language != "yaml" {
			continue
		}
		manifests = append(manifests, block.Text)
		if match := named.FindStringSubmatch(block.Text); match != nil {
			write(t, filepath.Join(dir, match[1]), block.Text)
		}
	}
	for path, content := range page.Files {
		if nth, isBlock := content.(int); isBlock {
			content = manifests[nth]
		}
		write(t, filepath.Join(dir, path), content.(string))
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

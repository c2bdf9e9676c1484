// Package picture photographs a page of HTML in a real browser, Chromium, for the documentation.
package picture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// measure makes a page say how high it is.
const measure = `<script>document.documentElement.dataset.height = document.documentElement.scrollHeight</script>`

var height = regexp.MustCompile(`data-height="(\d+)"`)

// Take writes a picture of the whole page, of the given width, to a file. Its ending (.webp, .png) decides the
// format.
func Take(ctx context.Context, page, file string, width int) error {
	dir, err := os.MkdirTemp("", "picture-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, err = filepath.Abs(file)
	if err != nil {
		return err
	}
	b := browser{dir: dir, width: width}
	document, err := b.run(ctx, page+measure, "600", "--dump-dom")
	if err != nil {
		return err
	}
	found := height.FindStringSubmatch(document)
	if found == nil {
		return errors.New("the page does not say how high it is")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	_, err = b.run(ctx, page, found[1], "--screenshot="+file)
	return err
}

type browser struct {
	dir   string // of the page and the browser's own files
	width int
}

func (b browser) run(ctx context.Context, page, height, flag string) (stdout string, err error) {
	path := filepath.Join(b.dir, "page.html")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		return "", err
	}
	var out, problem strings.Builder
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
		"--user-data-dir="+filepath.Join(b.dir, "profile"), fmt.Sprintf("--window-size=%d,%s", b.width, height), flag,
		"file://"+path)
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("chromium %s: %w\n%s", flag, err, problem.String())
	}
	return out.String(), nil
}

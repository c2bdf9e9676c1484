// Package docs_test checks the documentation: its links, and the commands on its pages. What needs a cluster is in
// e2e/suites.
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/sysctl-injector/sysctl-injector/docs/transcript"
)

// root is the checkout's folder.
const root = ".."

// pages are all pages of the repository, by their path in it.
func pages(t *testing.T) map[string]string {
	t.Helper()
	return contents(t, ".md")
}

// contents reads the files of the repository with one of the extensions, by their path in it.
func contents(t *testing.T, extensions ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "testdata" || name == "dist" || name == "bin" ||
			path != root && strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !slices.Contains(extensions, filepath.Ext(path)) {
			return nil
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		found[filepath.ToSlash(name)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// published is where the repository's files are for pages that are read elsewhere, such as the chart's.
const published = "https://github.com/sysctl-injector/sysctl-injector/blob/main/"

var (
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pictures = regexp.MustCompile(`!\[([^\]]*)\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *#*$`)
)

// Every link to a page of the repository leads to a page, and to a heading on it.
func TestLinks(t *testing.T) {
	all := pages(t)
	for name, page := range all {
		prose := transcript.Prose(page)
		for _, at := range links.FindAllStringSubmatchIndex(prose, -1) {
			target, line := prose[at[2]:at[3]], 1+strings.Count(prose[:at[0]], "\n")
			path, isOurs := strings.CutPrefix(target, published)
			if !isOurs {
				if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
					continue
				}
				path = filepath.ToSlash(filepath.Join(filepath.Dir(name), target))
				if strings.HasPrefix(target, "#") {
					path = name + target
				}
			}
			if problem := check(all, path); problem != "" {
				t.Errorf("%s:%d: the link %s: %s", name, line, target, problem)
			}
		}
	}
}

// Each picture in docs/images is on a page, with a text for those who do not see it. TestLinks finds pages that show
// a picture that does not exist.
func TestPictures(t *testing.T) {
	shown := map[string]bool{}
	for name, page := range pages(t) {
		for _, picture := range pictures.FindAllStringSubmatch(transcript.Prose(page), -1) {
			shown[filepath.Base(picture[2])] = true
			if len(strings.Fields(picture[1])) < 2 {
				t.Errorf("%s: the picture %s has the text %q", name, picture[2], picture[1])
			}
		}
	}
	files, err := os.ReadDir("images")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !shown[file.Name()] {
			t.Errorf("no page shows docs/images/%s", file.Name())
		}
		if info, err := file.Info(); err != nil || info.Size() > 200<<10 {
			t.Errorf("docs/images/%s is larger than 200 KiB (%v)", file.Name(), err)
		}
	}
}

// check says what is wrong with a path in the repository and a heading.
func check(all map[string]string, target string) string {
	path, anchor, hasAnchor := strings.Cut(target, "#")
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path))); err != nil {
		return "there is no such file"
	}
	if hasAnchor && !slices.Contains(anchors(all[path]), anchor) {
		return fmt.Sprintf("%s has no heading %q", path, anchor)
	}
	return ""
}

// anchors are the names that GitHub gives to the headings of a page.
func anchors(page string) []string {
	lines := strings.Split(page, "\n")
	for _, block := range transcript.Blocks(page) {
		for i := range strings.Count(block.Text, "\n") + 2 {
			lines[block.Line-1+i] = ""
		}
	}
	var names []string
	seen := map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
		text := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(match[1], "$1")
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, text)
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, seen[name]-1)
		}
		names = append(names, name)
	}
	return names
}

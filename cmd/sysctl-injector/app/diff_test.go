package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const noNewline = "\\ No newline at end of file\n"

// patched applies a unified diff of one file as patch(1) does without fuzz: every number, context line and removed
// line has to fit.
func patched(t *testing.T, before, diff string) string {
	t.Helper()
	if diff == "" {
		return before
	}
	old, at := strings.SplitAfter(before, "\n"), 0
	var after strings.Builder
	lines := strings.SplitAfter(diff, "\n")[2:]
	written := 0
	for i := 0; i < len(lines) && lines[i] != ""; {
		var from, fromCount, to, toCount int
		header := strings.NewReplacer(" @@\n", "").Replace(lines[i])
		if _, err := fmt.Sscanf(header, "@@ -%d,%d +%d,%d", &from, &fromCount, &to, &toCount); err != nil {
			t.Fatalf("no hunk header: %q", lines[i])
		}
		if fromCount == 0 {
			from++
		}
		if toCount == 0 {
			to++
		}
		for at < from-1 {
			after.WriteString(old[at])
			at, written = at+1, written+1
		}
		if written != to-1 {
			t.Fatalf("hunk %q starts at line %d of the new text", header, written+1)
		}
		for i++; i < len(lines) && lines[i] != "" && lines[i][0] != '@'; i++ {
			kind, line := lines[i][0], lines[i][1:]
			if i+1 < len(lines) && lines[i+1] == noNewline {
				line = strings.TrimSuffix(line, "\n")
			}
			switch kind {
			case ' ', '-':
				if old[at] != line {
					t.Fatalf("hunk %q expects %q in line %d, not %q", header, line, at+1, old[at])
				}
				at, fromCount = at+1, fromCount-1
			}
			switch kind {
			case ' ', '+':
				after.WriteString(line)
				written, toCount = written+1, toCount-1
			}
		}
		if fromCount != 0 || toCount != 0 {
			t.Fatalf("hunk %q counts %d and %d lines too many", header, fromCount, toCount)
		}
	}
	return after.String() + strings.Join(old[at:], "")
}

func TestDiffsAreCorrectHunks(t *testing.T) {
	type pair struct{ before, after string }
	pairs := map[string]pair{
		"no line end before":  {"a\nb\nc", "a\nb\nc\nd\n"},
		"no line end after":   {"a\nb\nc\n", "a\nx\nb\nc"},
		"no line end in both": {"a\nb\nc", "a\nx\nb\nc"},
		"two hunks": {"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n",
			"1\nx\n2\n3\n4\n5\n6\n7\n8\n9\n10\n12\n"},
		"lines between two changes of a hunk": {"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n",
			"x\n2\n3\ny\n5\n6\n7\n8\n9\n10\n11\n12\n13\nz\n"},
		"repeated lines": {strings.Repeat("a\nb\n", 20),
			strings.Repeat("a\nb\n", 9) + "a\n" + strings.Repeat("a\nb\n", 11)},
		"nothing before":   {"", "a\nb\n"},
		"nothing after":    {"a\nb\n", ""},
		"lines of Windows": {"a\r\nb\r\n", "a\r\nx\r\nb\r\n"},
	}
	for _, path := range inputs(t) {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(filepath.Join("testdata/injected", filepath.Base(path)))
		if err != nil {
			t.Fatal(err)
		}
		pairs[path] = pair{string(before), string(after)}
	}
	for name, p := range pairs {
		t.Run(name, func(t *testing.T) {
			var diff strings.Builder
			if err := printDiff(&diff, "a", []byte(p.before), []byte(p.after)); err != nil {
				t.Fatal(err)
			}
			if got := patched(t, p.before, diff.String()); got != p.after {
				t.Errorf("the diff\n%s\nleads to\n%s", diff.String(), got)
			}
		})
	}
}

package app

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chartLine is the first line of a manifest with the shape of a public chart: its name, where it is, and what is
// special about it.
var chartLine = regexp.MustCompile(`^# (.+?)\. Shape: (.+?)(?:: (.+))?\.\n`)

const minCharts = 20

// TestChartsTable compares the table of docs/convert.md with what convert says about the manifests of
// testdata/convert that name a public chart.
func TestChartsTable(t *testing.T) {
	paths, err := filepath.Glob("testdata/convert/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		chart := chartLine.FindStringSubmatch(string(content))
		if chart == nil {
			continue
		}
		_, _, report := run(t, "", "convert", "-f", path)
		found := readReport(strings.ReplaceAll(report, path+": ", ""))
		if len(found.what) == 0 {
			t.Errorf("%s: nothing is found", path)
		}
		rows = append(rows, fmt.Sprintf("| %s<br>%s | %s | %s | %s | %s |\n", chart[1], chart[2], cell(chart[3:]),
			strings.Join(found.what, "<br>"),
			cell(found.converted), cell(found.left)))
	}
	if len(rows) < minCharts {
		t.Errorf("%d charts, want %d", len(rows), minCharts)
	}
	slices.SortFunc(rows, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	table := "| chart or project | shape | found | converted | left, and why |\n|---|---|---|---|---|\n" +
		strings.Join(rows, "")
	const page, begin, end = "../../../docs/convert.md",
		"<!-- charts: go test ./cmd/sysctl-injector/app -run TestChartsTable -update -->\n", "<!-- end of charts -->\n"
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", page)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(got, table); diff != "" {
		t.Errorf("the table of %s (-is +should be):\n%s", page, diff)
	}
}

func cell(all []string) string {
	if text := strings.ReplaceAll(strings.Join(all, "<br>"), "|", `\|`); text != "" {
		return text
	}
	return "–"
}

// reported is what a report says.
type reported struct{ what, converted, left []string }

var (
	entryLine = regexp.MustCompile(`^line \d+: (the file|\S+)[: ] ?(?:"[^"]*": )?(.*): (converted|stays as it is)$`)
	lineOf    = regexp.MustCompile(`^line \d+: `)
)

// readReport takes what was found, the lines that it becomes, and the reasons why it stays.
func readReport(report string) reported {
	var r reported
	stays, isLine := false, false
	for line := range strings.Lines(report) {
		line = strings.TrimSuffix(line, "\n")
		entry := entryLine.FindStringSubmatch(line)
		text := strings.TrimSpace(line)
		switch {
		case entry != nil:
			r.what = append(r.what, fmt.Sprintf("%s, `%s`", entry[1], entry[2]))
			stays, isLine = entry[3] != "converted", false
		case strings.HasPrefix(text, "as lines"):
			isLine = true
		case isLine && strings.HasPrefix(line, "    "):
			if !stays {
				r.converted = append(r.converted, "`"+text+"`")
			}
		case strings.HasPrefix(line, "  ") && !strings.Contains(line, ": sets ") &&
			!strings.HasPrefix(text, "a pod cannot set a node-level sysctl") &&
			!strings.HasPrefix(text, "by hand:"):
			if reason := lineOf.ReplaceAllString(text, ""); !slices.Contains(r.left, reason) {
				r.left = append(r.left, reason)
			}
		}
	}
	return r
}

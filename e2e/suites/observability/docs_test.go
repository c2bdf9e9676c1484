package observability_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// row matches a row of a table whose first cell is one word of code.
var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|([^|]*)\\|")

// tableOf reads a table of the page: of each row the first two cells.
func tableOf(t *testing.T, section string) map[string]string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, docsFile), "\n## "+section+"\n")
	if !found {
		t.Fatalf("%s has no section %q", docsFile, section)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	table := map[string]string{}
	for _, cells := range row.FindAllStringSubmatch(text, -1) {
		table[cells[1]] = strings.TrimSpace(cells[2])
	}
	return table
}

// The page lists exactly the metrics that a running server exports, with their labels.
func TestMetricsAreDocumented(t *testing.T) {
	want := map[string]string{}
	for name, labels := range exported(t) {
		if !strings.HasPrefix(name, "sysctl_injector_") {
			continue
		}
		for i, label := range labels {
			labels[i] = "`" + label + "`"
		}
		want[strings.TrimSuffix(name, "_bucket")] = strings.Join(labels, ", ")
	}
	if diff := cmp.Diff(want, tableOf(t, "Metrics")); diff != "" {
		t.Errorf("metrics (-exported +documented):\n%s", diff)
	}
}

// checks matches the names of checks in the row of their metric.
var checks = regexp.MustCompile("`([a-z][a-z-]+)`")

// The page lists exactly the checks of a running server, and the one that needs a flag.
func TestChecksAreDocumented(t *testing.T) {
	want := []string{"client-ca"}
	for _, series := range families(t)["sysctl_injector_ready"].GetMetric() {
		want = append(want, series.GetLabel()[0].GetValue())
	}
	_, rest, _ := strings.Cut(read(t, docsFile), "| `sysctl_injector_ready` | `check` | ")
	meaning, _, _ := strings.Cut(rest, "\n")
	var documented []string
	for _, match := range checks.FindAllStringSubmatch(meaning, -1) {
		documented = append(documented, match[1])
	}
	slices.Sort(want)
	slices.Sort(documented)
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("checks (-exported +documented):\n%s", diff)
	}
}

// The page lists exactly the messages that are logged.
func TestMessagesAreDocumented(t *testing.T) {
	documented := slices.Sorted(maps.Keys(tableOf(t, "Logs")))
	if diff := cmp.Diff(messages(t), documented); diff != "" {
		t.Errorf("messages (-logged +documented):\n%s", diff)
	}
}

// logs are the methods of loggers, and the function that makes a record.
var logs = []string{"NewRecord", "Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext", "WarnContext",
	"ErrorContext", "Log", "LogAttrs"}

// messages are those that the program's own code logs: constant, and beginning with a capital.
func messages(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	for _, root := range []string{"../../../cmd", "../../../webhook"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(node ast.Node) bool {
				if message, ok := messageOf(node); ok {
					found[message] = true
				}
				return true
			})
			return nil
		})
		must(t, err)
	}
	return slices.Sorted(maps.Keys(found))
}

// messageOf is the first text among the arguments of a call that logs. A text with a verb is a format, which no
// logger takes.
func messageOf(node ast.Node) (string, bool) {
	call, ok := node.(*ast.CallExpr)
	if !ok {
		return "", false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains(logs, method.Sel.Name) {
		return "", false
	}
	for _, argument := range call.Args {
		literal, ok := argument.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		text, err := strconv.Unquote(literal.Value)
		return text, err == nil && text != "" && unicode.IsUpper(rune(text[0])) && !strings.Contains(text, "%")
	}
	return "", false
}

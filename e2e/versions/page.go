package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
)

// row holds the results of the suites on one release.
type row struct {
	release string // "v1.31.14"
	results []result
}

// Names of the parts of the page that are generated.
const (
	tableSection = "table"
	skipsSection = "not run"
)

// write puts a row into the page, in place of an earlier one of the same minor version. Other rows and the text
// around the tables stay.
func write(path string, r row) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	written, err := put(string(page), r)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(written), 0o644)
}

func put(page string, r row) (string, error) {
	heads := []string{"Kubernetes"}
	cells := []string{r.release}
	var skips [][]string
	for _, result := range r.results {
		heads = append(heads, result.suite)
		cells = append(cells, result.String())
		for _, skip := range result.skipped {
			skips = append(skips, []string{r.release, result.suite + " " + skip.test, skip.reason})
		}
	}
	page, err := replaceRows(page, tableSection, heads, minor(r.release), [][]string{cells})
	if err != nil {
		return "", err
	}
	return replaceRows(page, skipsSection, []string{"Kubernetes", "test", "why it does not run"},
		minor(r.release), skips)
}

// replaceRows replaces the rows of a minor version in the table of a section.
func replaceRows(page, section string, heads []string, version int, rows [][]string) (string, error) {
	old, err := report.Section(page, section)
	if err != nil {
		return "", err
	}
	kept := rows
	for line := range strings.Lines(old) {
		if cells := split(line); len(cells) == len(heads) && strings.HasPrefix(cells[0], "v") &&
			minor(cells[0]) != version {
			kept = append(kept, cells)
		}
	}
	slices.SortStableFunc(kept, func(a, b []string) int { return cmp.Compare(minor(a[0]), minor(b[0])) })
	var table strings.Builder
	fmt.Fprintf(&table, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(heads)))
	for _, cells := range kept {
		fmt.Fprintf(&table, "| %s |\n", strings.Join(escape(cells), " | "))
	}
	return report.ReplaceSection(page, section, strings.TrimSpace(table.String()))
}

func split(line string) []string {
	line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00")
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "\x00", "|")
	}
	return cells
}

func escape(cells []string) []string {
	escaped := make([]string, len(cells))
	for i, cell := range cells {
		escaped[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	return escaped
}

// minor is the 31 of v1.31.14.
func minor(release string) int {
	parts := strings.Split(release, ".")
	if len(parts) < 2 {
		return 0
	}
	number, _ := strconv.Atoi(parts[1])
	return number
}

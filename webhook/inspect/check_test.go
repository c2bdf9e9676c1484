package inspect

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answers returns one line per check, for comparison.
func answers(checks []Check) []string {
	var all []string
	for _, c := range checks {
		all = append(all, fmt.Sprintf("%s %s: %s", c.Status, c.Name, c.Message))
	}
	return all
}

// wantAnswers compares the status, name and message of checks. All but the passed ones need a remedy.
func wantAnswers(t *testing.T, got []Check, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, answers(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range got {
		if c.Status != Passed && c.Remedy == "" {
			t.Errorf("no remedy: %s", c.Message)
		}
	}
}

// Each question has a row in the documentation.
func TestQuestionsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/check.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, q := range Questions() {
		if seen[q.Name] {
			t.Errorf("two questions have the name %s", q.Name)
		}
		seen[q.Name] = true
		if !strings.Contains(string(page), "\n| `"+q.Name+"` |") {
			t.Errorf("docs/check.md has no row for %s", q.Name)
		}
	}
	for line := range strings.Lines(string(page)) {
		if name, found := strings.CutPrefix(line, "| `"); found {
			if name, _, _ = strings.Cut(name, "`"); !seen[name] {
				t.Errorf("docs/check.md has a row for %s, which is not a check", name)
			}
		}
	}
}

func TestSort(t *testing.T) {
	checks := []Check{QuestionStray.Pass("c"), QuestionVersion.Pass("a"), QuestionGuard.Fail("", "b1"),
		QuestionGuard.Fail("", "b2")}
	Sort(checks)
	var got []string
	for _, c := range checks {
		got = append(got, c.Message)
	}
	if !slices.Equal(got, []string{"a", "b1", "b2", "c"}) {
		t.Error(got)
	}
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{"": "''", "a-b.c/d": "a-b.c/d", "a b": "'a b'", "it's": `'it'\''s'`,
		"$HOME": "'$HOME'", "*": "'*'"} {
		if got := shellQuote(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

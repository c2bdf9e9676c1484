package inspect

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// Only a missing permission is no failure of the cluster.
func TestUnread(t *testing.T) {
	nodes := schema.GroupResource{Resource: "nodes"}
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"forbidden", fmt.Errorf("list: %w", apierrors.NewForbidden(nodes, "", nil)),
			"Unknown NodeKernel: not checked: the nodes could not be read: list: nodes is forbidden: <nil>"},
		{"unauthorized", apierrors.NewUnauthorized("who are you?"),
			"Unknown NodeKernel: not checked: the nodes could not be read: who are you?"},
		{"a permission that is asked for", LackedError{Permission{Verb: "list", Resource: "nodes"}},
			`Unknown NodeKernel: not checked: the nodes could not be read: you lack the permission "list nodes"`},
		{"an internal error", apierrors.NewInternalError(errors.New("no etcd")),
			"Failed NodeKernel: the nodes could not be read: Internal error occurred: no etcd"},
		{"a server that is overloaded", apierrors.NewTooManyRequestsError("later"),
			"Failed NodeKernel: the nodes could not be read: Too many requests: later"},
		{"no answer", errors.New("connection refused"),
			"Failed NodeKernel: the nodes could not be read: connection refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := QuestionKernel.Unread("the nodes", test.err)
			wantAnswers(t, []Check{got}, test.want)
			if isPermission := strings.Contains(got.Remedy, "permission"); isPermission != (got.Status == Unknown) {
				t.Errorf("the remedy is %q", got.Remedy)
			}
		})
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

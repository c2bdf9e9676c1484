package check_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
)

var update = flag.Bool("update", false, "rewrite testdata/broken.golden")

// breakage is one fault of an installation.
type breakage struct {
	Name string
	// Broken is a script that breaks the installation. Act is the name of an act that does.
	Broken, Act string
	// Want are the checks that must fail, and no others: "Failed WebhookEntry".
	Want []string
	// Repair is a script that repairs the installation. Without it, the commands that check prints must do so. After is
	// a script that cleans up.
	Repair, After string
}

// act breaks something that no command can break, and repairs it.
type act struct{ do, undo func(*testing.T) }

var acts = map[string]act{
	"kubelet": {
		func(*testing.T) { node.allow("kernel.sem") },
		func(*testing.T) { node.allow("kernel.msg*") },
	},
	"stopped": {
		func(t *testing.T) {
			t.Helper()
			installed.Server().Kill()
			mustShell(t, `kubectl -n $SYSTEM patch lease sysctl-injector --type=merge -p '{"spec": {"renewTime": `+
				`"2026-01-01T00:00:00.000000Z"}}'`)
		},
		func(t *testing.T) {
			t.Helper()
			mustShell(t, "kubectl -n $SYSTEM delete lease sysctl-injector")
			must(t, installed.Restart(t.Context()))
		},
	},
}

func (b breakage) do(t *testing.T) {
	t.Helper()
	if b.Act != "" {
		acts[b.Act].do(t)
		return
	}
	mustShell(t, b.Broken)
}

// undo repairs it, by the remedies of a report if nothing else is stated.
func (b breakage) undo(t *testing.T, found report) {
	t.Helper()
	switch {
	case b.Act != "":
		acts[b.Act].undo(t)
	case b.Repair != "":
		mustShell(t, b.Repair)
	default:
		found.remedy(t)
	}
}

// On a healthy installation one thing is broken. check names that thing and nothing else, and with the remedy every
// check passes again.
func TestEachFaultIsFoundAndRemedied(t *testing.T) {
	awaitHealthy(t)
	content, err := os.ReadFile("testdata/broken.yaml")
	must(t, err)
	var breakages []breakage
	must(t, yaml.UnmarshalStrict(content, &breakages))
	var page strings.Builder
	for _, b := range breakages {
		t.Run(b.Name, func(t *testing.T) {
			b.do(t)
			found := awaitFindings(t, b.Want)
			fmt.Fprintf(&page, "## %s\n%s\n", b.Name, found.text())
			b.undo(t, found)
			awaitHealthy(t)
			mustShell(t, b.After)
		})
	}
	if t.Failed() {
		return
	}
	const golden = "testdata/broken.golden"
	if *update {
		must(t, os.WriteFile(golden, []byte(page.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if diff := cmp.Diff(string(want), page.String()); diff != "" {
		t.Errorf("the findings of check (-want +got):\n%s", diff)
	}
}

// awaitFindings waits until exactly the wanted checks do not pass, and returns the report.
func awaitFindings(t *testing.T, want []string) report {
	t.Helper()
	var found report
	err := await.Answer(t.Context(), strings.Join(want, ", "), pace, patience, func(ctx context.Context) (string,
		bool) {
		r, err := check(ctx, suite.Cluster(t))
		found = r
		var names []string
		for _, c := range r.findings() {
			names = append(names, string(c.Status)+" "+c.Name)
		}
		return fmt.Sprintf("%v %v", r.findings(), err), err == nil && cmp.Equal(want, names)
	})
	must(t, err)
	if failed := found.Counts.Failed > 0; failed != (found.code == 1) || found.code > 1 {
		t.Errorf("exit code %d with %d failed checks", found.code, found.Counts.Failed)
	}
	return found
}

// text is what golden files have of the findings.
func (r report) text() string {
	var all strings.Builder
	for _, c := range r.findings() {
		text := fmt.Sprintf("%s %s: %s\n  %s\n", c.Status, c.Object, c.Message, c.Remedy)
		if c.Command != "" {
			text += "  $ " + c.Command + "\n"
		}
		all.WriteString(constant(text))
	}
	return all.String()
}

// constant replaces the parts that differ between two runs.
func constant(text string) string {
	for expression, by := range map[string]string{
		`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`:     "TIME",
		`"value":"[A-Za-z0-9+/=]{200,}"`:      `"value":"BASE64"`,
		`leader, [^ ]+, last renewed .+? ago`: "leader, NAME, last renewed its Lease TIME ago",
		` \(possibly because of .*?\)`:        "",
	} {
		text = regexp.MustCompile(expression).ReplaceAllString(text, by)
	}
	return text
}

// runRemedies runs the commands that check prints now.
func runRemedies(t *testing.T) {
	t.Helper()
	r, err := check(t.Context(), suite.Cluster(t))
	must(t, err)
	r.remedy(t)
}

// remedy runs the commands of a report.
func (r report) remedy(t *testing.T) {
	t.Helper()
	for _, c := range r.findings() {
		if c.Command == "" {
			t.Fatalf("there is no command for %s: %s", c.Name, c.Message)
		}
		mustShell(t, c.Command)
	}
}

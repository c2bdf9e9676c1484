package sysctl

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/sysctls.md")

// TestDocs checks that docs/sysctls.md is generated from the catalogue.
func TestDocs(t *testing.T) {
	const path = "../../docs/sysctls.md"
	want := docsPage()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/sysctls.md differs from the catalogue: run go test ./webhook/sysctl -run Docs -update "+
			"(-want +got):\n%s", diff)
	}
}

// TestDocsOfSafeNames compares the table in docs/concepts.md with the catalogue.
func TestDocsOfSafeNames(t *testing.T) {
	page, err := os.ReadFile("../../docs/concepts.md")
	if err != nil {
		t.Fatal(err)
	}
	table := "| safe since Kubernetes | names |\n|---|---|\n"
	for _, r := range safeSince {
		table += fmt.Sprintf("| %s | `%s` |\n", r.version, strings.Join(r.names, "`, `"))
	}
	if !strings.Contains(string(page), table+"\n") {
		t.Errorf("docs/concepts.md lacks this table:\n%s", table)
	}
}

func docsPage() string {
	var page strings.Builder
	fmt.Fprintf(&page, `# Which sysctls exist, and which values do they take?

This page is generated from the catalogue, `+"`webhook/sysctl/catalogue.tsv`"+`.
%s

`+"`sysctl-injector explain NAME`"+` shows the same and more, with the sources. `+
		"`*`"+` stands for a network interface.

- **default**: the value that a new pod starts with. "(node)" means that it depends on the node; the value is from the
  machine that made the catalogue.
- **values**: what the newest kernel accepts, for each number. If other kernels differ, the last column says so.
- **in pods since**: the first Linux release, of those that were read for this, in which each pod has its own. The
  oldest of them is 3.10.

## Sysctls that a pod can set

| name | default | values | in pods since | more |
|---|---|---|---|---|
`, catalogueOrigin)
	var node strings.Builder
	for _, name := range CatalogueNames() {
		p := parameters[name]
		if note := Lookup(name).HostOnly; note != nil {
			fmt.Fprintf(&node, "| `%s` | %s |\n", name, note.Reason)
			continue
		}
		since := p.Namespaced
		if exact := releases.namespaced[name]; exact != "" {
			since = exact
		}
		value := p.Default
		if p.DefaultDependsOnNode() && value != "" {
			value += " (node)"
		}
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %s |\n", p.docsName(), value, p.NewestBounds(), since,
			strings.Join(p.docsNotes(name), "; "))
	}
	page.WriteString("\n## Sysctls that belong to the node\n\nNo pod can set them. An administrator sets them on the " +
		"node.\n\n| name | why |\n|---|---|\n" + node.String())
	return page.String()
}

func (p *Parameter) docsName() string {
	if url := p.DocumentationURL(); url != "" {
		return fmt.Sprintf("[`%s`](%s)", p.Name, url)
	}
	return "`" + p.Name + "`"
}

func (p *Parameter) docsNotes(name string) []string {
	var notes []string
	add := func(text string) {
		if text != "" {
			notes = append(notes, text)
		}
	}
	if release := releases.safe[name]; release != "" {
		add("safe since Kubernetes " + release)
	}
	if len(p.Bounds) > 1 {
		add(p.BoundsText())
	}
	add(conditions[p.Name])
	if p.Until != "" {
		add("gone after Linux " + p.Until)
	}
	if module := ModuleOf(name); module != "" {
		add("module " + module)
	}
	return notes
}

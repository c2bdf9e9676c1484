package sysctl

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
)

// TestNamespacedSinceFitsTheCatalogue compares the releases that a person traced with the source trees: a name is
// namespaced in the first tree that the catalogue names, which is not older.
func TestNamespacedSinceFitsTheCatalogue(t *testing.T) {
	for _, row := range namespacedSince {
		for _, name := range row.names {
			p := FindParameter(name)
			if p == nil || p.Namespaced == "no" {
				t.Errorf("%s: %+v", name, p)
				continue
			}
			traced, read := version.MustParseGeneric(row.version), version.MustParseGeneric(p.Namespaced)
			if read.LessThan(traced) && read.AtLeast(version.MustParseGeneric("4.9")) {
				// Stable releases get some changes later: a tree of an older release may have them.
				t.Logf("%s: traced to %s, and the tree of %s has it", name, traced, read)
				if read.LessThan(version.MustParseGeneric(OldestKernel)) {
					t.Errorf("%s: traced to Linux %s, and Linux %s has it already", name, traced, read)
				}
			}
		}
	}
}

func TestStatementsHaveSources(t *testing.T) {
	names := append(CatalogueNames(), "vm.max_map_count", "kernel.core_pattern", "net.ipv4.tcp_tw_recycle",
		"net.core.somaxcon")
	for _, name := range names {
		statements := Statements(name)
		if len(statements) == 0 {
			t.Errorf("%s: nothing is known", name)
		}
		for _, s := range statements {
			if s.About == "" || s.Text == "" || s.Source == "" {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}

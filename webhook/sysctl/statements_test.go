package sysctl

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
)

// TestNamespacedSinceAgreesWithTheCatalogue compares the releases in namespacedSince with the source trees of the
// catalogue: a supported release must not have a namespaced name before the release in the table.
func TestNamespacedSinceAgreesWithTheCatalogue(t *testing.T) {
	for _, row := range namespacedSince {
		for _, name := range row.names {
			p := FindParameter(name)
			if p == nil || p.Namespaced == "no" {
				t.Errorf("%s: %+v", name, p)
				continue
			}
			traced, read := version.MustParseGeneric(row.version), version.MustParseGeneric(p.Namespaced)
			if read.LessThan(traced) && read.AtLeast(version.MustParseGeneric("4.9")) {
				// A stable release may get a change of a later release.
				t.Logf("%s: the table says %s, and the source of %s has it", name, traced, read)
				if read.LessThan(version.MustParseGeneric(OldestKernel)) {
					t.Errorf("%s: the table says Linux %s, but Linux %s already has it", name, traced, read)
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
			t.Errorf("%s: no statements", name)
		}
		for _, s := range statements {
			if s.About == "" || s.Text == "" || s.Source == "" {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}

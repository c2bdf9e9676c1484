package main

import "testing"

func TestChartVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":              "1.2.3",
		"v1.2.3-rc.1":         "1.2.3-rc.1",
		"v1.2.3-4-g0123abc":   "1.2.3-4-g0123abc", // some commits after a tag
		"0123456-dirty":       "0.0.0-g0123456-dirty",
		"v1":                  "0.0.0-gv1",
		"version-v1.2.3-beta": "0.0.0-gversion-v1.2.3-beta",
	} {
		if got := chartVersion(version); got != want {
			t.Errorf("chartVersion(%q) = %q, want %q", version, got, want)
		}
	}
}

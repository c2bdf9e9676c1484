// Package helm holds the chart. Its tests need no helm; those that do are in e2e/suites/chart.
package helm

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the chart's copies")

const chart = "sysctl-injector"

// copies are the chart's files that are copies, since Helm reads nothing outside a chart's folder: by folder or file
// in the chart, where they come from.
var copies = map[string]string{
	"crds":             "../../templates/crds",
	"files/install":    "../../templates/install",
	"files/policies":   "../../templates/policies",
	"files/profiles":   "../../templates/profiles",
	"files/guard.yaml": "../guard.yaml",
}

// own are files there that are written for the chart, or that another test generates.
var own = []string{"files/alerts.yaml", "files/guard-versions.yaml"}

// readTree reads the files at or below root, by their path below it.
func readTree(t *testing.T, root string) map[string]string {
	t.Helper()
	contents := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		contents[strings.TrimPrefix(path, root)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

func TestCopies(t *testing.T) {
	want := map[string]string{}
	for to, from := range copies {
		for name, content := range readTree(t, from) {
			want[to+name] = content
		}
	}
	dashboards, err := filepath.Glob("../dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range dashboards {
		want["files/dashboards/"+filepath.Base(path)] = readTree(t, path)[""]
	}
	if *update {
		for name, content := range want {
			path := filepath.Join(chart, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := map[string]string{}
	for _, folder := range []string{"crds", "files"} {
		for name, content := range readTree(t, filepath.Join(chart, folder)) {
			found[folder+name] = content
		}
	}
	for _, name := range own {
		delete(found, name)
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("the chart's copies are not as they should be; `go test ./deploy/helm -update` writes them, "+
			"strays have to be removed (-source +chart):\n%s", diff)
	}
}

package tools

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every module below e2e/ states the programs, their version and their sources: a change of any of these leads to
// another build.
func TestPlan(t *testing.T) {
	names, err := Names()
	if err != nil {
		t.Fatal(err)
	}
	versions, err := KubernetesVersions()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range versions {
		names = append(names, Kubernetes+"/"+version)
	}
	for _, name := range names {
		b, err := plan(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(b.tools) == 0 || !strings.HasPrefix(filepath.Base(b.dir), b.version+"-") ||
			!strings.HasPrefix(b.version, "v") {
			t.Errorf("%s: it builds %v of version %q into %s", name, b.tools, b.version, b.dir)
		}
	}
}

func TestPlanFollowsWhatIsBuilt(t *testing.T) {
	dir := t.TempDir()
	module := filepath.Join(dir, "e2e", "it")
	if err := os.MkdirAll(module, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	write := func(name, content string) build {
		t.Helper()
		if err := os.WriteFile(filepath.Join(module, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := plan("it")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const gomod = "module example.com/it\n\nrequire (\n\texample.com/a v1.0.0 // indirect\n" +
		"\texample.com/tool v1.2.3\n)\n\ntool "
	foreign := write("go.mod", gomod+"example.com/tool/cmd/run\n")
	if foreign.version != "v1.2.3" || len(foreign.tools) != 1 || foreign.tools[0] != "run" {
		t.Errorf("a tool of another module: %v of version %s, want run of v1.2.3", foreign.tools, foreign.version)
	}
	own := write("go.mod", gomod+"example.com/it\n")
	if own.version != "v1.2.3" || own.tools[0] != "it" || own.dir == foreign.dir {
		t.Errorf("a program of its own: %v of version %s in %s", own.tools, own.version, own.dir)
	}
	if changed := write("main.go", "package main\n"); changed.dir == own.dir {
		t.Error("a change of the program is not another build")
	}
	if _, err := own.find(); err == nil || !strings.Contains(err.Error(), "it v1.2.3 is not built yet") {
		t.Errorf("find() = %v, want it to say that it is not built yet", err)
	}
}

func TestKubernetesVersionsAreInOrder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, version := range []string{"1.9", "1.31", "1.100", "1.4"} {
		dir := filepath.Join("e2e", Kubernetes, version)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := KubernetesVersions()
	if want := []string{"1.4", "1.9", "1.31", "1.100"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("KubernetesVersions() = %v, %v, want %v", got, err, want)
	}
}

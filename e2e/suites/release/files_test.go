package release_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
)

// root is the project's checkout.
var root = filepath.Join("..", "..", "..")

// write copies the sources of a release from one checkout to another, and makes a release there.
func write(t *testing.T, command, from, checkout, output string) {
	t.Helper()
	for _, folder := range []string{"cmd", "deploy/helm", "templates", "webhook"} {
		must(t, os.CopyFS(filepath.Join(checkout, folder), os.DirFS(filepath.Join(from, folder))))
	}
	for _, file := range []string{"LICENSE", "go.mod", "go.sum", "deploy/install.yaml"} {
		must(t, os.WriteFile(filepath.Join(checkout, file), read(t, from, file), 0o644))
	}
	if output, err := release(command, checkout, output).CombinedOutput(); err != nil {
		t.Fatalf("make a release: %v\n%s", err, output)
	}
}

// release prepares the command as the Makefile calls it, for this machine's platform alone: compiling takes minutes.
func release(command, checkout, output string, more ...string) *exec.Cmd {
	return exec.Command(command, append([]string{"--source=" + checkout, "--output=" + output,
		"--platforms=linux/" + runtime.GOARCH,
		"--version=" + version, "--revision=0123abc", "--source-date-epoch=1700000000"}, more...)...)
}

// checkSBOM compares the SBOM with the modules that the compiler uses.
func checkSBOM(t *testing.T, checkout string, content []byte) {
	t.Helper()
	var document cyclonedx.BOM
	must(t, cyclonedx.NewBOMDecoder(bytes.NewReader(content), cyclonedx.BOMFileFormatJSON).Decode(&document))
	const modules = `{{with .Module}}{{if not .Main}}pkg:golang/{{.Path}}@{{.Version}}{{end}}{{end}}`
	cmd := exec.Command("go", "list", "-deps", "-f="+modules, "./cmd/sysctl-injector")
	cmd.Dir, cmd.Env = checkout, append(os.Environ(), "CGO_ENABLED=0")
	output, err := cmd.Output()
	must(t, err)
	want := append(strings.Fields(string(output)), "pkg:golang/std@"+strings.TrimPrefix(runtime.Version(), "go"))
	slices.Sort(want)
	var got []string
	for _, part := range *document.Components {
		got = append(got, part.PackageURL)
	}
	slices.Sort(got)
	if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
		t.Error("the modules (-want +got):\n" + diff)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, output)
	}
	return string(output)
}

func read(t *testing.T, dir, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, file))
	must(t, err)
	return content
}

// entry is a file in a tar archive.
func entry(t *testing.T, r io.Reader, name string) []byte {
	t.Helper()
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if err != nil {
			t.Fatalf("find %s in the archive: %v", name, err)
		}
		if header.Name != name {
			continue
		}
		content, err := io.ReadAll(archive)
		must(t, err)
		return content
	}
}

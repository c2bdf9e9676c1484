// Package release_test makes a release as `make release` does, and checks it as a person does who downloads it.
package release_test

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/deploy/release/image"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

var must = clustertest.Must

const (
	version = "v1.2.3"
	taken   = "ghcr.io/sysctl-injector/sysctl-injector:" + version // the image, where the chart looks for it
)

// Files of the release for this machine's platform.
var (
	program = "sysctl-injector-linux-" + runtime.GOARCH
	plugin  = "kubectl-sysctl_injector-linux-" + runtime.GOARCH + ".tar.gz"
	files   = []string{
		"SHA256SUMS", "install.yaml", plugin, "sysctl-injector-1.2.3.tgz", "sysctl-injector-image.tar", program,
		program + ".cdx.json", "sysctl-injector.yaml",
	}
)

func TestRelease(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, no release was made: the binary is run, and it is for Linux")
	}
	if _, err := tools.Find("helm"); errors.Is(err, tools.ErrNotBuilt) && os.Getenv(clustertest.Wanted) != "1" {
		t.Skipf("SKIPPED, no release was made: %v. `make test-api` builds it", err)
	}
	command := filepath.Join(t.TempDir(), "release")
	run(t, "go", "build", "-o", command, "../../../deploy/release")
	checkout, first := filepath.Join(t.TempDir(), "checkout"), filepath.Join(t.TempDir(), "dist")
	write(t, command, root, checkout, first)
	second := filepath.Join(t.TempDir(), "longer", "dist")
	write(t, command, checkout, filepath.Join(t.TempDir(), "elsewhere", "checkout"), second)

	t.Run("has all files and no other", func(t *testing.T) {
		found, err := os.ReadDir(first)
		must(t, err)
		var names []string
		for _, file := range found {
			names = append(names, file.Name())
		}
		if diff := cmp.Diff(files, names); diff != "" {
			t.Error("the files (-want +got):\n" + diff)
		}
	})
	t.Run("is the same from another folder", func(t *testing.T) {
		for _, file := range files {
			if !bytes.Equal(read(t, first, file), read(t, second, file)) {
				t.Errorf("%s differs", file)
			}
		}
	})
	t.Run("has sums that verify", func(t *testing.T) {
		cmd := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
		cmd.Dir = first
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		for _, file := range files[1:] {
			if !strings.Contains(string(output), file+": OK\n") {
				t.Errorf("%s has no sum", file)
			}
		}
	})
	t.Run("has a static binary that tells the version and not where it was compiled", func(t *testing.T) {
		path := filepath.Join(first, program)
		if output := run(t, path, "version"); !strings.HasPrefix(output, "sysctl-injector "+version+" (") {
			t.Errorf("it says %q", output)
		}
		content := read(t, first, program)
		file, err := elf.NewFile(bytes.NewReader(content))
		must(t, err)
		if err := image.CheckStatic(file); err != nil {
			t.Error(err)
		}
		for _, place := range append(strings.Fields(run(t, "go", "env", "GOROOT", "GOMODCACHE", "GOCACHE")),
			checkout, first) {
			if bytes.Contains(content, []byte(place)) {
				t.Errorf("%s is in the binary", place)
			}
		}
	})
	t.Run("has an SBOM with the modules that the binary is compiled from", func(t *testing.T) {
		checkSBOM(t, checkout, read(t, first, program+".cdx.json"))
	})
	t.Run("has an image, and manifests that ask for it by its name", func(t *testing.T) {
		if index := entry(t, bytes.NewReader(read(t, first, "sysctl-injector-image.tar")),
			"index.json"); !bytes.Contains(index, []byte(`"`+taken+`"`)) {
			t.Errorf("the image is not called %s: %s", taken, index)
		}
		manifest := string(read(t, first, "install.yaml"))
		if !slices.Contains(strings.Fields(manifest), taken) {
			t.Errorf("install.yaml does not ask for %s", taken)
		}
		var chart struct{ Version, AppVersion string }
		must(t, yaml.Unmarshal(read(t, checkout, "deploy/helm/sysctl-injector/Chart.yaml"), &chart))
		versions := strings.NewReplacer(chart.AppVersion, version, "sysctl-injector-"+chart.Version,
			"sysctl-injector-1.2.3")
		if diff := cmp.Diff(versions.Replace(string(read(t, checkout, "deploy/install.yaml"))), manifest); diff != "" {
			t.Error("install.yaml, besides the version, is not the checkout's (-want +got):\n" + diff)
		}
	})
	t.Run("has a kubectl plugin that krew installs", func(t *testing.T) { installPlugin(t, first) })
	t.Run("has the same image as --image-only writes, for Linux only", func(t *testing.T) {
		alone := t.TempDir()
		if output, err := release(command, checkout, alone, "--image-only",
			"--platforms=darwin/arm64").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		if !bytes.Equal(read(t, alone, "sysctl-injector-image.tar"), read(t, first, "sysctl-injector-image.tar")) {
			t.Error("they differ")
		}
	})
	t.Run("has a chart of its version", func(t *testing.T) {
		archive, err := gzip.NewReader(bytes.NewReader(read(t, first, "sysctl-injector-1.2.3.tgz")))
		must(t, err)
		var chart struct{ Version, AppVersion string }
		must(t, yaml.Unmarshal(entry(t, archive, "sysctl-injector/Chart.yaml"), &chart))
		if chart.Version != "1.2.3" || chart.AppVersion != version {
			t.Errorf("the chart is %+v", chart)
		}
	})
	t.Run("is not written over another", func(t *testing.T) {
		if output, err := release(command, checkout, first).CombinedOutput(); err == nil ||
			!strings.Contains(string(output), "is not empty") {
			t.Errorf("error %v: %s", err, output)
		}
	})
}

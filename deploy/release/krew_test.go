package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/krew/pkg/index"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/deploy/release/image"
)

// The manifest is one of krew's, and has the sums of the archives beside it.
func TestPlugin(t *testing.T) {
	r := release{source: "../..", output: t.TempDir(), version: "v1.2.3", created: time.Unix(1700000000, 0).UTC()}
	programs := []image.Binary{
		{Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Content: []byte("for linux")},
		{Platform: v1.Platform{OS: "darwin", Architecture: "arm64"}, Content: []byte("for darwin")},
	}
	if err := r.plugin(programs); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(r.output, "sysctl-injector.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest index.Plugin
	if err := yaml.UnmarshalStrict(content, &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || manifest.Name != "sysctl-injector" ||
		manifest.Spec.Version != "v1.2.3" {
		t.Errorf("got %+v", manifest)
	}
	if len(manifest.Spec.Platforms) != len(programs) {
		t.Fatalf("got %d platforms", len(manifest.Spec.Platforms))
	}
	for i, p := range manifest.Spec.Platforms {
		system, arch := programs[i].Platform.OS, programs[i].Platform.Architecture
		file := "kubectl-sysctl_injector-" + system + "-" + arch + ".tar.gz"
		want := "https://github.com/sysctl-injector/sysctl-injector/releases/download/v1.2.3/" + file
		if p.URI != want {
			t.Errorf("the address is %s, want %s", p.URI, want)
		}
		if diff := cmp.Diff(map[string]string{"os": system, "arch": arch}, p.Selector.MatchLabels); diff != "" {
			t.Error(diff)
		}
		archive, err := os.ReadFile(filepath.Join(r.output, file))
		if err != nil {
			t.Fatal(err)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(archive)); sum != p.Sha256 {
			t.Errorf("the sum is %s, want %s", p.Sha256, sum)
		}
		if got := unpacked(t, archive)[p.Bin]; got != string(programs[i].Content) {
			t.Errorf("%s in %s is %q", p.Bin, file, got)
		}
	}
}

func unpacked(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	decompressed, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for reader := tar.NewReader(decompressed); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}

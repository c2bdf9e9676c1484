package sbom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	document := describe(&debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "example.com/program", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "example.com/a", Version: "v1.0.0"},
			{
				Path:    "example.com/b",
				Version: "v1.0.0",
				Replace: &debug.Module{Path: "example.com/fork", Version: "v0.1.0"},
			},
		},
		Settings: []debug.BuildSetting{{Key: "-trimpath", Value: "true"}, {Key: "GOARCH", Value: "amd64"}},
	}, "v1.2.3")
	if main := document.Metadata.Component; main.PackageURL != "pkg:golang/example.com/program@v1.2.3" {
		t.Errorf("the document is of %s", main.PackageURL)
	}
	// In place of a module that is replaced, the one whose code is in the binary.
	want := []string{"pkg:golang/std@1.26.8", "pkg:golang/example.com/a@v1.0.0", "pkg:golang/example.com/fork@v0.1.0"}
	var got []string
	for _, part := range *document.Components {
		got = append(got, part.PackageURL)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("the modules (-want +got):\n" + diff)
	}
	depends := []cyclonedx.Dependency{{Ref: "pkg:golang/example.com/program@v1.2.3", Dependencies: &want}}
	if diff := cmp.Diff(depends, *document.Dependencies); diff != "" {
		t.Error("the dependencies (-want +got):\n" + diff)
	}
	settings := []cyclonedx.Property{
		{Name: "go:build:trimpath", Value: "true"},
		{Name: "go:build:GOARCH", Value: "amd64"},
	}
	if diff := cmp.Diff(settings, *document.Metadata.Properties); diff != "" {
		t.Error("the settings (-want +got):\n" + diff)
	}
}

// The binary at hand is the test's own.
func TestWriteTellsWhichBinaryAndWhen(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	if err := Write(&content, binary, "v1.2.3", time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	var document cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(&content, cyclonedx.BOMFileFormatJSON).Decode(&document); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(binary)
	want := []cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}}
	if diff := cmp.Diff(want, *document.Metadata.Component.Hashes); diff != "" {
		t.Error("the binary's sums (-want +got):\n" + diff)
	}
	if document.Metadata.Timestamp != "2023-11-14T22:13:20Z" {
		t.Errorf("the document is of %s", document.Metadata.Timestamp)
	}
}

func TestWriteRejectsWhatGoDidNotLink(t *testing.T) {
	var document bytes.Buffer
	if err := Write(&document, []byte("#!/bin/sh"), "v1.2.3", time.Time{}); err == nil || document.Len() > 0 {
		t.Errorf("error %v, and %d bytes written", err, document.Len())
	}
}

// Package sbom tells what a binary is made of, as a CycloneDX document, from what the Go linker wrote into the
// binary.
package sbom

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// Write writes the document of a binary. A binary does not tell its own version in a form that tools compare, so it
// is given.
func Write(w io.Writer, binary []byte, version string, created time.Time) error {
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(binary)
	document := describe(info, version)
	document.Metadata.Timestamp = created.UTC().Format(time.RFC3339)
	document.Metadata.Component.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256,
		Value: hex.EncodeToString(sum[:])}}
	return cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(document,
		cyclonedx.SpecVersion1_6)
}

func describe(info *debug.BuildInfo, version string) *cyclonedx.BOM {
	main := component(cyclonedx.ComponentTypeApplication, info.Main.Path, version)
	main.Licenses = &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}}

	// Scanners look the standard library up by this name, and its version without the "go".
	parts := []cyclonedx.Component{component(cyclonedx.ComponentTypeLibrary, "std",
		strings.TrimPrefix(info.GoVersion, "go"))}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		parts = append(parts, component(cyclonedx.ComponentTypeLibrary, module.Path, module.Version))
	}
	refs := make([]string, len(parts))
	for i := range parts {
		refs[i] = parts[i].BOMRef
	}
	// The linker's settings: platform, flags.
	var settings []cyclonedx.Property
	for _, setting := range info.Settings {
		settings = append(settings, cyclonedx.Property{Name: "go:build:" + strings.TrimPrefix(setting.Key, "-"),
			Value: setting.Value})
	}

	document := cyclonedx.NewBOM()
	document.Metadata = &cyclonedx.Metadata{Component: &main, Properties: &settings}
	document.Components = &parts
	// Flat: a binary names its modules, and not which of them brought which.
	document.Dependencies = &[]cyclonedx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	return document
}

func component(kind cyclonedx.ComponentType, path, version string) cyclonedx.Component {
	url := "pkg:golang/" + path + "@" + version
	return cyclonedx.Component{Type: kind, BOMRef: url, Name: path, Version: version, PackageURL: url}
}

// Package templates holds, as plain YAML, every object that the project writes. Callers decode them into types and fill
// those: no text is ever substituted.
package templates

import (
	"embed"
	"fmt"
	"io/fs"

	"sigs.k8s.io/yaml"
)

// Forms holds the injected init container, a v1 Container, in each of its forms.
//
//go:embed forms/*.yaml
var Forms embed.FS

// Policies and Profiles hold the built-in SysctlPolicy and SysctlProfile objects, a file each.
var (
	//go:embed policies/*.yaml
	Policies embed.FS
	//go:embed profiles/*.yaml
	Profiles embed.FS
)

// Companion holds the objects that grant a service account the use of its sysctls, a file a kind.
//
//go:embed companion/*.yaml
var Companion embed.FS

// CRDs holds the CustomResourceDefinitions of SysctlPolicy and SysctlProfile, generated from their types.
//
//go:embed crds/*.yaml
var CRDs embed.FS

// Install holds what an installation consists of, a file an object.
//
//go:embed install/*.yaml
var Install embed.FS

// Decode reads the YAML file name of files into object. A field that object does not have is an error.
func Decode(files fs.FS, name string, object any) error {
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(raw, object); err != nil {
		return fmt.Errorf("decode template %s: %w", name, err)
	}
	return nil
}

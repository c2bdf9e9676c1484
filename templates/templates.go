// Package templates has every object that the project writes, as plain YAML. Callers decode a template into a type and
// set its fields. They never substitute text.
package templates

import (
	"embed"
	"fmt"
	"io/fs"

	"sigs.k8s.io/yaml"
)

// Forms has the injected init container, a v1 Container, in each of its forms.
//
//go:embed forms/*.yaml
var Forms embed.FS

// SetScript and VerifyScript are the constant scripts that an init container runs in busybox's shell, as
// `sh -ec SCRIPT sysctl-injector ARGUMENT...`. An argument is a result of Assignment.String in package sysctl.
//
// SetScript sets each sysctl according to its operator. VerifyScript only reads each sysctl and compares it with the
// value. Both process all arguments, print an error for each failed sysctl to stderr, and exit with 1 if there is one.
var (
	SetScript    = assignmentScript + setScript
	VerifyScript = assignmentScript + verifyScript
)

var (
	//go:embed forms/assignment.sh
	assignmentScript string
	//go:embed forms/set.sh
	setScript string
	//go:embed forms/verify.sh
	verifyScript string
)

// Policies and Profiles have the built-in SysctlPolicy and SysctlProfile objects, one per file.
var (
	//go:embed policies/*.yaml
	Policies embed.FS
	//go:embed profiles/*.yaml
	Profiles embed.FS
)

// Companion has the objects that allow a service account to use its sysctls, one kind per file.
//
//go:embed companion/*.yaml
var Companion embed.FS

// CRDs has the CustomResourceDefinitions of SysctlPolicy and SysctlProfile, generated from their types.
//
//go:embed crds/*.yaml
var CRDs embed.FS

// Install has the objects of an installation.
//
//go:embed install/*.yaml
var Install embed.FS

// Decode decodes a YAML file into object. An unknown field is an error.
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

// Package templates holds, as plain YAML, every object that the project writes. Callers decode them into types and
// fill those: no text is ever substituted.
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

// SetScript and VerifyScript are the constants that an init container runs as `sh -ec SCRIPT sysctl-injector
// ARGUMENT...`, in busybox's shell. An argument is what Assignment.String of package sysctl returns.
//
// SetScript sets each sysctl as its operator says. VerifyScript reads each and compares it with the value, and writes
// nothing. Both go through all arguments, say on stderr what is wrong with which sysctl, and then exit with 1 if
// anything is.
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

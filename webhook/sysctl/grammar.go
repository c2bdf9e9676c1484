package sysctl

import (
	"maps"
	"slices"
)

// This file exports the rules of the parser and the catalogue as data, for policies that the API server evaluates
// without this program.

// Assigned matches a line that assigns a value. It checks characters only, not the name. Ignored matches a line that
// Parse skips. Both use the syntax that Go and CEL share.
const (
	Assigned = `^[ \t]*-?[A-Za-z0-9_][A-Za-z0-9_./-]*[ \t]*>?=[ \t]*` + valueCharacter + `+([ \t]+` + valueCharacter +
		`+)*[ \t]*\r?$`
	Ignored = `^[ \t]*\r?$|^[ \t]*[#;]`
	// WholeNumber matches what IsWholeNumber accepts.
	WholeNumber = `^(0|-?[1-9][0-9]*)$`

	valueCharacter = `[A-Za-z0-9_,:./+-]`
)

// InterfaceDirectories returns the directories that contain one directory per network interface, each with a trailing
// dot.
func InterfaceDirectories() []string { return slices.Clone(perInterface) }

// Interfaces returns the interfaces for which known names are spelled out.
func Interfaces() []string { return slices.Clone(interfaces) }

// CutInterface splits a name in dot form at its interface: "net.ipv4.conf.", "eth0", ".forwarding". For a name without
// an interface, after is the whole name.
func CutInterface(name string) (before, device, after string) { return cutInterface(name) }

// KnownNames returns every name for which IsKnown is true, sorted, except for names with VLANs.
func KnownNames() []string {
	all := maps.Clone(spelledOut)
	for entry := range Known() {
		all[entry.Name] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// OptionalNames returns the patterns of the names that may have a leading "-".
func OptionalNames() []Pattern {
	patterns := make([]Pattern, len(optional))
	for i, o := range optional {
		patterns[i] = o.pattern
	}
	return patterns
}

// Reading describes the values of a parameter that at least one supported kernel accepts.
type Reading struct {
	Kind Kind
	// Min and Max bound each number.
	Min int64
	Max uint64
	// Count is how many numbers the kernel reads, or 0 for any number of them.
	Count int
}

// Kind is the form of a value.
type Kind int

// The kinds.
const (
	AnyText   Kind = iota // unknown, or not checked
	Numbers               // whole numbers, separated by blanks
	PortList              // whole numbers and ranges of them, separated by commas
	Formatted             // text in a format that only the program checks
)

// Reads returns how kernels read the values of a name.
func Reads(name string) Reading {
	p := FindParameter(name)
	switch {
	case p == nil:
		return Reading{}
	case p.Type == "ports":
		return Reading{Kind: PortList, Max: p.greatestPort()}
	case p.isNumeric():
		wide := widest(p.Bounds)
		return Reading{Kind: Numbers, Min: wide.Min, Max: wide.Max, Count: countFields(p.Default)}
	}
	if _, ok := formats[p.Name]; ok {
		return Reading{Kind: Formatted}
	}
	return Reading{}
}

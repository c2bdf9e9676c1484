package sysctl

import (
	"maps"
	"slices"
)

// This file gives out what the parser and the catalogue go by as data, for policies that the API server evaluates
// without this program.

// Assigned matches a line that assigns a value, as far as its characters go: the name is not checked. Ignored matches
// a line that Parse skips. Both are of the syntax that Go and CEL share.
const (
	Assigned = `^[ \t]*-?[A-Za-z0-9_][A-Za-z0-9_./-]*[ \t]*>?=[ \t]*` + valueCharacter + `+([ \t]+` + valueCharacter +
		`+)*[ \t]*\r?$`
	Ignored = `^[ \t]*\r?$|^[ \t]*[#;]`
	// WholeNumber matches what isWholeNumber takes.
	WholeNumber = `^(0|-?[1-9][0-9]*)$`

	valueCharacter = `[A-Za-z0-9_,:./+-]`
)

// InterfaceDirectories returns the directories that have one directory for each network interface, each with a dot at
// its end.
func InterfaceDirectories() []string { return slices.Clone(perInterface) }

// Interfaces returns the interfaces that known names are spelled out for.
func Interfaces() []string { return slices.Clone(interfaces) }

// CutInterface cuts a name in dot form around its interface: "net.ipv4.conf.", "eth0", ".forwarding". Of other names,
// all is after it.
func CutInterface(name string) (before, device, after string) { return cutInterface(name) }

// KnownNames returns, in order, every name that IsKnown knows, except for the VLANs of interfaces.
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

// Reading is what every kernel takes as the value of a parameter.
type Reading struct {
	Kind Kind
	// Min and Max bound each number, over all supported kernels.
	Min int64
	Max uint64
	// Count is how many numbers the kernel reads; 0 for any.
	Count int
}

// Kind is how a kernel reads a value.
type Kind int

// The kinds.
const (
	AnyText   Kind = iota // not known, or not checked
	Numbers               // whole numbers, joined by blanks
	PortList              // whole numbers and ranges of them, joined by commas
	Formatted             // text of a format that only the program checks
)

// Reads returns how kernels read the value of a name.
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

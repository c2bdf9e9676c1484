// Package sysctl reads what a pod asks for (lines of sysctl.conf(5)) and knows what the kernel and Kubernetes say of
// each name: which namespace isolates it, from which release, and what must never be set on a shared kernel.
//
// Everything here is pure. Nothing reads /proc/sys except the generator of hostonly_generated.go and the tests.
package sysctl

import (
	"maps"
	"slices"
)

// Limits of one text of assignments.
const (
	MaxAssignments = 64  // assignments in a text, and of a pod
	MaxContained   = 16  // of them, what one init container may set: the guard checks each against RBAC, and has a budget for as many
	MaxNameLength  = 253 // bytes of a name; Kubernetes has the same limit for securityContext.sysctls
	MaxValueLength = 256 // bytes of a value, after its runs of blanks were folded; see LongValues
)

// LongValues are the sysctls whose values may be longer than MaxValueLength, and how long.
//
// The kernel takes a list of ports in parts of a page, whose last byte ends the text (kernel/sysctl.c,
// proc_do_large_bitmap). One part is enough for a thousand ranges.
var LongValues = map[string]int{"net.ipv4.ip_local_reserved_ports": 4095}

// MaxLongValueLength returns how long the longest of these values may be.
func MaxLongValueLength() int { return slices.Max(slices.Collect(maps.Values(LongValues))) }

// MaxValueLengthOf returns how many bytes the value of a sysctl may have.
func MaxValueLengthOf(name string) int {
	if length, isLong := LongValues[name]; isLong {
		return length
	}
	return MaxValueLength
}

// Assignment is one kernel parameter and the value to give it.
type Assignment struct {
	Name     string // sysctl(8) dot form, as ParseName returns it
	Operator Operator
	Optional bool   // a leading "-": a kernel that lacks the parameter is left alone
	Value    string // runs of blanks folded to one space
	Line     int    // 1-based line of the text it was read from; 0 when it was not read from a text
}

// Operator says how a value is applied.
type Operator uint8

const (
	// Equal sets the value.
	Equal Operator = iota
	// AtLeast raises: each whole number of the value is a floor for the kernel's number in the same position.
	AtLeast
)

func (o Operator) String() string {
	if o == AtLeast {
		return ">="
	}
	return "="
}

// The grammar of what Assignment.String returns, as regular expressions in the syntax that Go and CEL share. The
// guard matches the container's arguments with them. They leave out lengths, which would make an expression long and
// costly to match.
const (
	// PlainArgument matches "name=value", which `sysctl -w` understands.
	PlainArgument = `^` + nameExpression + `=` + valueExpression + `$`
	// Argument matches every assignment: "name=value", "name>=value", and either of them behind a "-".
	Argument = `^-?` + nameExpression + `>?=` + valueExpression + `$`

	nameExpression  = `[a-z0-9_]+(\.[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)+`
	valueExpression = valueCharacter + `+( ` + valueCharacter + `+)*`
)

// IsPlain reports whether `sysctl -w` alone can apply the assignment. It knows neither ">=" nor "-".
func (a Assignment) IsPlain() bool {
	return a.Operator == Equal && !a.Optional
}

// String returns the argument that sets the parameter: "name=value" or "name>=value", behind a "-" if it is optional.
func (a Assignment) String() string {
	text := a.Name + a.Operator.String() + a.Value
	if a.Optional {
		text = "-" + text
	}
	return text
}

// Scope returns what isolates the parameter.
func (a Assignment) Scope() Scope {
	return ScopeOf(a.Name)
}

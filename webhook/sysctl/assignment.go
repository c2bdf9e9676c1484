// Package sysctl parses the sysctls that a pod asks for (lines of sysctl.conf(5)) and has a catalogue of sysctls: which
// namespace isolates each of them, since which release, and which must never be set on a shared kernel.
//
// The package is pure. Only its generators and its tests read /proc/sys.
package sysctl

import (
	"maps"
	"slices"
)

// Limits for a text of assignments.
const (
	// MaxAssignments limits the assignments in a text, and those of a pod.
	MaxAssignments = 64
	// MaxContained limits how many of them one init container sets. The guard checks each against RBAC, and its CEL
	// cost budget allows this many.
	MaxContained = 16
	// MaxNameLength limits a name, in bytes. Kubernetes has the same limit for securityContext.sysctls.
	MaxNameLength = 253
	// MaxValueLength limits a value, in bytes, after runs of blanks are folded. LongValues has the exceptions.
	MaxValueLength = 256
)

// LongValues maps each sysctl whose values may be longer than MaxValueLength to its limit.
//
// The kernel reads a list of ports one page at a time, and the last byte of a page ends the text (kernel/sysctl.c,
// proc_do_large_bitmap). One page holds about a thousand ranges, which is enough.
var LongValues = map[string]int{"net.ipv4.ip_local_reserved_ports": 4095}

// MaxLongValueLength returns the largest limit in LongValues.
func MaxLongValueLength() int { return slices.Max(slices.Collect(maps.Values(LongValues))) }

// MaxValueLengthOf returns the limit for the value of a sysctl, in bytes.
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
	Optional bool   // a leading "-": skip the assignment if the kernel lacks the parameter
	Value    string // runs of blanks folded to one space
	Line     int    // 1-based line in the parsed text; 0 if it does not come from a text
}

// Operator says how a value is applied.
type Operator uint8

const (
	// Equal sets the value.
	Equal Operator = iota
	// AtLeast only raises the value: each number is a minimum for the kernel's number in the same position.
	AtLeast
)

func (o Operator) String() string {
	if o == AtLeast {
		return ">="
	}
	return "="
}

// The grammar of Assignment.String, as regular expressions in the syntax that Go and CEL share. The guard matches the
// container's arguments with them. They do not limit lengths, because that would make matching expensive.
const (
	// PlainArgument matches "name=value", which `sysctl -w` understands.
	PlainArgument = `^` + nameExpression + `=` + valueExpression + `$`
	// Argument matches every assignment: "name=value" or "name>=value", with or without a leading "-".
	Argument = `^-?` + nameExpression + `>?=` + valueExpression + `$`

	nameExpression  = `[a-z0-9_]+(\.[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)+`
	valueExpression = valueCharacter + `+( ` + valueCharacter + `+)*`
)

// IsPlain reports whether `sysctl -w` can apply the assignment: it supports neither ">=" nor a leading "-".
func (a Assignment) IsPlain() bool {
	return a.Operator == Equal && !a.Optional
}

// String returns the argument that sets the parameter: "name=value" or "name>=value", with a leading "-" if it is
// optional.
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

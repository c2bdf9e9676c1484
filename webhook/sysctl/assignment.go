// Package sysctl reads what a pod asks for (lines of sysctl.conf(5)) and knows what the kernel and Kubernetes say of each name:
// which namespace isolates it, from which release, and what must never be set on a shared kernel.
//
// Everything here is pure. Nothing reads /proc/sys except the generator of hostonly_generated.go and the tests.
package sysctl

// Limits of one text of assignments.
const (
	MaxAssignments = 16  // assignments in a text; the guard checks each of them against RBAC, and has a budget for as many
	MaxNameLength  = 253 // bytes of a name; Kubernetes has the same limit for securityContext.sysctls
	MaxValueLength = 256 // bytes of a value, after its runs of blanks were folded
)

// Assignment is one kernel parameter and the value to give it.
type Assignment struct {
	Name  string // sysctl(8) dot form
	Value string // runs of blanks folded to one space
	Line  int    // 1-based line of the text it was read from; 0 when it was not read from a text
}

// String returns "name=value", the argument for `sysctl -w`.
func (a Assignment) String() string {
	return a.Name + "=" + a.Value
}

// Scope returns what isolates the parameter.
func (a Assignment) Scope() Scope {
	return ScopeOf(a.Name)
}

package sysctl

// Scope is what isolates a kernel parameter: a kind of namespace, or nothing but the kernel itself.
type Scope string

// What each pod has a copy of, and what it has not.
const (
	Network Scope = "Network" // a copy in each network namespace (or in the first one only: Entry.HostOnly)
	IPC     Scope = "IPC"     // a copy in each IPC namespace
	Node    Scope = "Node"    // one for the whole kernel
)

// scopes are the names that a namespace isolates. All others have node scope. The guard's CEL is generated from the
// same rows.
//
// The namespaced names are those of the Kubernetes documentation ("Using sysctls in a Kubernetes Cluster") and of
// k8s.io/component-helpers/node/util/sysctl. kernel.sem is exact there and here: kernel.sem_next_id, for
// checkpoint and restore only, counts as node-level.
var scopes = []struct {
	scope   Scope
	pattern Pattern
}{
	{Network, Pattern{"net.", true}},
	{IPC, Pattern{"kernel.shm", true}},
	{IPC, Pattern{"kernel.msg", true}},
	{IPC, Pattern{"kernel.sem", false}},
	{IPC, Pattern{"fs.mqueue.", true}},
}

// ScopeOf returns the scope of a name in dot form. A name that is not known to be namespaced has node scope.
func ScopeOf(name string) Scope {
	for _, s := range scopes {
		if s.pattern.Matches(name) {
			return s.scope
		}
	}
	return Node
}

// Namespaced returns the patterns of the names that a namespace isolates.
func Namespaced() []Pattern {
	patterns := make([]Pattern, len(scopes))
	for i, s := range scopes {
		patterns[i] = s.pattern
	}
	return patterns
}

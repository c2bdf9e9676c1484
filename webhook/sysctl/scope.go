package sysctl

// Scope is what isolates a kernel parameter: a kind of namespace, or nothing but the kernel itself.
type Scope string

// The scopes.
const (
	Network Scope = "Network" // each network namespace has a copy, or only the initial one (Entry.HostOnly)
	IPC     Scope = "IPC"     // each IPC namespace has a copy
	Node    Scope = "Node"    // the whole kernel has one
)

// scopes are the names that a namespace isolates. All others have node scope. The guard's CEL is generated from these
// rows.
//
// The namespaced names are those of the Kubernetes documentation ("Using sysctls in a Kubernetes Cluster") and of
// k8s.io/component-helpers/node/util/sysctl. As there, kernel.sem is an exact name: kernel.sem_next_id, which only
// checkpoint and restore uses, counts as node-level.
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

// ScopeOf returns the scope of a name in dot form.
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

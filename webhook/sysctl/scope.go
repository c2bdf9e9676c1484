package sysctl

import "strings"

// Scope is what isolates a kernel parameter: a kind of namespace, or nothing but the kernel itself.
type Scope string

// What each pod has a copy of, and what it has not.
const (
	Network Scope = "Network" // a copy in each network namespace (or in the first one only: Entry.HostOnly)
	IPC     Scope = "IPC"     // a copy in each IPC namespace
	Node    Scope = "Node"    // one for the whole kernel
)

// ScopeOf returns the scope of a name in dot form. What is not known to be namespaced is of the node.
//
// The namespaced names are those of the Kubernetes documentation ("Using sysctls in a Kubernetes Cluster") and of
// k8s.io/component-helpers/node/util/sysctl. kernel.sem is exact there and here: kernel.sem_next_id, for
// checkpoint and restore only, counts as node-level.
func ScopeOf(name string) Scope {
	switch {
	case strings.HasPrefix(name, "net."):
		return Network
	case name == "kernel.sem",
		strings.HasPrefix(name, "kernel.shm"),
		strings.HasPrefix(name, "kernel.msg"),
		strings.HasPrefix(name, "fs.mqueue."):
		return IPC
	default:
		return Node
	}
}

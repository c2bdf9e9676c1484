// Package grants holds the companion of an injected pod: the RBAC objects by which its service account may use the sysctls
// that it asks for, and what else a cluster's own admission needs to let the injected container pass.
package grants

import "strings"

// Need is what a pod's service account has to be granted.
type Need struct {
	Namespace      string
	ServiceAccount string
	// Sysctls are set by the injected container, and so are what the guard asks for.
	Sysctls []string
	// NativeSysctls are the unsafe ones in the pod's own securityContext.sysctls. Only a PodSecurityPolicy asks for them.
	NativeSysctls []string
}

// id is the same for needs that differ in nothing.
func (n Need) id() string {
	return strings.Join([]string{n.Namespace, n.ServiceAccount, strings.Join(n.Sysctls, " "), strings.Join(n.NativeSysctls, " ")}, "/")
}

// clone copies the texts of a need too: they may be parts of a large annotation, which they would keep in memory.
func (n Need) clone() Need {
	return Need{
		Namespace: strings.Clone(n.Namespace), ServiceAccount: strings.Clone(n.ServiceAccount),
		Sysctls: cloneAll(n.Sysctls), NativeSysctls: cloneAll(n.NativeSysctls),
	}
}

func cloneAll(texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, strings.Clone(text))
	}
	return all
}

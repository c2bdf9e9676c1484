// Package grants holds the companion of an injected pod: the RBAC objects by which its service account may use the sysctls
// that it asks for, and what else a cluster's own admission needs to let the injected container pass.
package grants

import (
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Need is what a pod's service account has to be granted.
type Need = policy.Grant

// idOf is the same for needs that differ in nothing.
func idOf(n Need) string {
	return strings.Join([]string{n.Namespace, n.ServiceAccount, strings.Join(n.Sysctls, " "), strings.Join(n.NativeSysctls, " ")}, "/")
}

// clone copies the texts of a need too: they may be parts of a large annotation, which they would keep in memory.
func clone(n Need) Need {
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

// Package grants renders, applies and reconciles the companion objects of injected pods: the RBAC objects that let a
// service account use sysctls, and the objects by which PodSecurityPolicy or OpenShift admit the injected container.
// Package policy decides what a pod needs.
package grants

import (
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Need is the set of grants that a pod's service account needs.
type Need = policy.Grant

// clone copies the strings of a need too: they may be substrings of a large annotation and would keep it in memory.
func clone(n Need) Need {
	return Need{
		Namespace: strings.Clone(n.Namespace), ServiceAccount: strings.Clone(n.ServiceAccount),
		Sysctls: cloneAll(n.Sysctls), NativeSysctls: cloneAll(n.NativeSysctls), UserNamespace: n.UserNamespace,
	}
}

func cloneAll(texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, strings.Clone(text))
	}
	return all
}

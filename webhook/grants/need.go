// Package grants holds the companion of an injected pod: the RBAC objects by which its service account may use the sysctls
// that it asks for, and what else a cluster's own admission needs to let the injected container pass.
package grants

// Need is what a pod's service account has to be granted.
type Need struct {
	Namespace      string
	ServiceAccount string
	// Sysctls are set by the injected container, and so are what the guard asks for.
	Sysctls []string
	// NativeSysctls are the unsafe ones in the pod's own securityContext.sysctls. Only a PodSecurityPolicy asks for them.
	NativeSysctls []string
}

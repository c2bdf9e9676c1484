package policy

// Grant is what a pod's service account has to be granted.
type Grant struct {
	Namespace      string
	ServiceAccount string
	// Sysctls are set by the injected container, and so are what the guard asks for.
	Sysctls []string
	// NativeSysctls are those in the pod's own securityContext.sysctls. Only a PodSecurityPolicy asks for them.
	NativeSysctls []string
	// UserNamespace reports whether the injected container is one without privilege, in the pod's own user namespace.
	// Only OpenShift asks: it admits that container by other constraints than a privileged one.
	UserNamespace bool
}

// GrantFor returns the grant that settings need: those that the injected container makes, and those that Kubernetes
// does.
func GrantFor(facts Facts, contained, native []Setting) *Grant {
	return &Grant{
		Namespace: facts.Namespace, ServiceAccount: facts.ServiceAccount,
		Sysctls: namesOf(contained), NativeSysctls: namesOf(native),
	}
}

func namesOf(settings []Setting) []string {
	var names []string
	for _, setting := range settings {
		names = append(names, setting.Name)
	}
	return names
}

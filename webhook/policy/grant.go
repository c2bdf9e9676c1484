package policy

// Grant is what a pod's service account has to be granted.
type Grant struct {
	Namespace      string
	ServiceAccount string
	// Sysctls are set by the injected container, and so are what the guard asks for.
	Sysctls []string
	// NativeSysctls are those in the pod's own securityContext.sysctls. Only a PodSecurityPolicy asks for them.
	NativeSysctls []string
}

// GrantFor returns the grant that settings need.
func GrantFor(facts Facts, settings []Setting) *Grant {
	names := make([]string, len(settings))
	for n, setting := range settings {
		names[n] = setting.Name
	}
	return &Grant{Namespace: facts.Namespace, ServiceAccount: facts.ServiceAccount, Sysctls: names}
}

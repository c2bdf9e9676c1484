package grants

import "sigs.k8s.io/controller-runtime/pkg/client"

// Names of the roles that may use the SecurityContextConstraints.
const (
	constraintsRole              = prefix + ":scc"
	userNamespaceConstraintsRole = prefix + ":scc:user-namespace"
)

// renderSCC grants "use" of each sysctl, and of the SecurityContextConstraints that admit the container. Constraints
// admit whole pods, so a pod with an unprivileged container gets constraints that admit no privileged container.
func renderSCC(need Need) ([]client.Object, error) {
	template, roleName := constraints, constraintsRole
	switch {
	case need.UserNamespace:
		template, roleName = userNamespaceConstraints, userNamespaceConstraintsRole
	case len(need.Sysctls) == 0:
		return nil, nil
	}
	objects, err := renderVAP(need)
	if err != nil {
		return nil, err
	}
	object, err := decodedPolicy(template)
	if err != nil {
		return nil, err
	}
	granted, err := grant(constraintsUserRole, roleName, object.GetName(), need)
	if err != nil {
		return nil, err
	}
	return append(append(objects, object), granted...), nil
}

package grants

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// Names of the roles that may use the SecurityContextConstraints.
const (
	constraintsRole              = prefix + ":scc"
	userNamespaceConstraintsRole = prefix + ":scc:user-namespace"
)

// renderSCC grants "use" of each sysctl, and of the SecurityContextConstraints that admit the container. Constraints
// admit whole pods, so a pod with an unprivileged container gets constraints that admit no privileged container.
func renderSCC(need Need) ([]client.Object, error) {
	file, roleName := "companion/scc.yaml", constraintsRole
	switch {
	case need.UserNamespace:
		file, roleName = "companion/scc-user-namespace.yaml", userNamespaceConstraintsRole
	case len(need.Sysctls) == 0:
		return nil, nil
	}
	objects, err := renderVAP(need)
	if err != nil {
		return nil, err
	}
	constraints := &unstructured.Unstructured{}
	if err := templates.Decode(templates.Companion, file, &constraints.Object); err != nil {
		return nil, err
	}
	granted, err := grant("scc-clusterrole.yaml", roleName, constraints.GetName(), need)
	if err != nil {
		return nil, err
	}
	return append(append(objects, constraints), granted...), nil
}

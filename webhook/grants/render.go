package grants

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Backend is the admission mechanism of the cluster that the companion objects are for.
type Backend string

const (
	// ValidatingAdmissionPolicy is for Kubernetes 1.30 and later. It checks whether the service account may "use"
	// each sysctl.
	ValidatingAdmissionPolicy Backend = "vap"
	// SecurityContextConstraints is for OpenShift. It also checks "use" on the constraints that admit the container.
	SecurityContextConstraints Backend = "scc"
	// PodSecurityPolicy is for Kubernetes 1.24 and earlier. It checks "use" on a policy that admits the pod.
	PodSecurityPolicy Backend = "psp"
)

var renderers = map[Backend]func(Need) ([]client.Object, error){
	ValidatingAdmissionPolicy:  renderVAP,
	SecurityContextConstraints: renderSCC,
	PodSecurityPolicy:          renderPSP,
}

// Backends lists the backends, in order.
func Backends() []string {
	var names []string
	for backend := range renderers {
		names = append(names, string(backend))
	}
	slices.Sort(names)
	return names
}

// Render returns the objects that meet the needs, without duplicates. An object comes after the objects that it
// refers to, so they can be applied in order.
func Render(backend Backend, needs []Need) ([]client.Object, error) {
	render, known := renderers[backend]
	if !known {
		return nil, fmt.Errorf("backend %q is not one of %s", backend, strings.Join(Backends(), ", "))
	}
	byKey := map[string]client.Object{}
	for _, need := range merged(backend, needs) {
		objects, err := render(need)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			byKey[key(object)] = object
		}
	}
	return slices.SortedFunc(maps.Values(byKey), func(a, b client.Object) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(key(a), key(b)))
	}), nil
}

// merged joins the needs of each service account, since the pods of a namespace may have thousands of different ones.
// Needs for PodSecurityPolicies stay apart, because one policy must admit the whole pod.
func merged(backend Backend, needs []Need) []Need {
	if backend == PodSecurityPolicy {
		return needs
	}
	type account struct {
		namespace, name string
		userNamespace   bool
	}
	sysctls := map[account]sets.Set[string]{}
	for _, need := range needs {
		of := account{need.Namespace, need.ServiceAccount, need.UserNamespace}
		if sysctls[of] == nil {
			sysctls[of] = sets.New[string]()
		}
		sysctls[of].Insert(need.Sysctls...)
	}
	var all []Need
	for of, names := range sysctls {
		all = append(all, Need{Namespace: of.namespace, ServiceAccount: of.name, UserNamespace: of.userNamespace,
			Sysctls: names.UnsortedList()})
	}
	return all
}

func key(object client.Object) string {
	return kindOf(object) + "/" + object.GetNamespace() + "/" + object.GetName()
}

// rank puts policies before the roles that name them, and roles before their bindings.
func rank(object client.Object) int {
	switch object.(type) {
	case *rbacv1.ClusterRole:
		return 1
	case *rbacv1.RoleBinding:
		return 2
	default:
		return 0
	}
}

// renderVAP grants "use" of each sysctl.
func renderVAP(need Need) ([]client.Object, error) {
	var objects []client.Object
	for _, name := range need.Sysctls {
		granted, err := grant(sysctlRole, clusterRoleName(name), name, need)
		if err != nil {
			return nil, err
		}
		objects = append(objects, granted...)
	}
	return objects, nil
}

// renderPSP grants "use" of a PodSecurityPolicy that admits the pod's native sysctls and, if the pod is injected, the
// init container. The policy lists only sysctls that need a permission.
func renderPSP(need Need) ([]client.Object, error) {
	unsafe := slices.DeleteFunc(slices.Concat(need.NativeSysctls, need.Sysctls), alwaysSafe)
	slices.Sort(unsafe)
	unsafe = slices.Compact(unsafe)
	unsafe = slices.DeleteFunc(unsafe, func(name string) bool { return !CanBeInPodSecurityPolicy(name) })
	injected := len(need.Sysctls) > 0
	if len(unsafe) == 0 && !injected {
		return nil, nil
	}
	policy, err := decodedPolicy(podSecurityPolicy)
	if err != nil {
		return nil, err
	}
	policy.SetName(podSecurityPolicyName(unsafe, injected))
	if err := unstructured.SetNestedStringSlice(policy.Object, unsafe, "spec", "allowedUnsafeSysctls"); err != nil {
		return nil, err
	}
	if err := unstructured.SetNestedField(policy.Object, injected, "spec", "privileged"); err != nil {
		return nil, err
	}
	granted, err := grant(policyRole, fit(prefix+":psp:"+policy.GetName()), policy.GetName(), need)
	if err != nil {
		return nil, err
	}
	return append([]client.Object{policy}, granted...), nil
}

// firstWithSysctls is the first Kubernetes release whose PodSecurityPolicies have a list of sysctls.
var firstWithSysctls = version.MajorMinor(1, 11)

// alwaysSafe reports whether a sysctl is safe in every release with PodSecurityPolicies. If it is safe only in later
// releases, earlier ones need the permission, and later ones accept it.
func alwaysSafe(name string) bool {
	since := sysctl.Lookup(name).SafeSince
	return since != "" && version.MustParseGeneric(since).LessThan(firstWithSysctls)
}

// The templates, each decoded once: a namespace may need thousands of objects.
var (
	sysctlRole               = decoded[rbacv1.ClusterRole]("clusterrole")
	policyRole               = decoded[rbacv1.ClusterRole]("psp-clusterrole")
	constraintsUserRole      = decoded[rbacv1.ClusterRole]("scc-clusterrole")
	roleBinding              = decoded[rbacv1.RoleBinding]("rolebinding")
	podSecurityPolicy        = decoded[map[string]any]("psp")
	constraints              = decoded[map[string]any]("scc")
	userNamespaceConstraints = decoded[map[string]any]("scc-user-namespace")
)

// decoded returns a function that decodes a template at its first call.
func decoded[T any](name string) func() (*T, error) {
	return sync.OnceValues(func() (*T, error) {
		object := new(T)
		return object, templates.Decode(templates.Companion, "companion/"+name+".yaml", object)
	})
}

// decodedPolicy returns a copy of a template of a kind without a Go type.
func decodedPolicy(template func() (*map[string]any, error)) (*unstructured.Unstructured, error) {
	content, err := template()
	if err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: runtime.DeepCopyJSON(*content)}, nil
}

// grant fills in a ClusterRole template for one named resource, and returns it with its binding to the pod's service
// account.
func grant(template func() (*rbacv1.ClusterRole, error), roleName, resourceName string,
	need Need) ([]client.Object, error) {
	decodedRole, err := template()
	if err != nil {
		return nil, err
	}
	role := decodedRole.DeepCopy()
	role.Name = roleName
	role.Rules[0].ResourceNames = []string{resourceName}

	decodedBinding, err := roleBinding()
	if err != nil {
		return nil, err
	}
	binding := decodedBinding.DeepCopy()
	binding.Name = roleBindingName(roleName, need.ServiceAccount)
	binding.Namespace = need.Namespace
	binding.RoleRef.Name = roleName
	binding.Subjects[0].Name = need.ServiceAccount
	binding.Subjects[0].Namespace = need.Namespace
	return []client.Object{role, binding}, nil
}

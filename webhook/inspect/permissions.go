package inspect

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// Permission is a verb on a resource. Namespace is empty for cluster-scoped resources.
type Permission struct{ Verb, Group, Resource, Namespace string }

// String returns a permission in kubectl's notation: "get pods", "use sysctls.sysctl-injector.dev".
func (p Permission) String() string {
	return p.Verb + " " + strings.TrimSuffix(p.Resource+"."+p.Group, ".")
}

func namesOf(permissions []Permission) []string {
	names := make([]string, len(permissions))
	for i, p := range permissions {
		names[i] = p.String()
	}
	return names
}

// created are the kinds that the chart installs, in addition to those of Grantable.
var created = []struct {
	group, resource string
	namespaced      bool
}{
	{"apiextensions.k8s.io", "customresourcedefinitions", false},
	{"", "serviceaccounts", true},
	{"", "services", true},
	{"", "secrets", true}, // Helm keeps the release in one
	{"", "resourcequotas", true},
	{"apps", "deployments", true},
	{"policy", "poddisruptionbudgets", true},
	{"networking.k8s.io", "networkpolicies", true},
	{"rbac.authorization.k8s.io", "roles", true},
	{"rbac.authorization.k8s.io", "rolebindings", true},
	{"rbac.authorization.k8s.io", "clusterroles", false},
	{"rbac.authorization.k8s.io", "clusterrolebindings", false},
	{"admissionregistration.k8s.io", "mutatingwebhookconfigurations", false},
	{"admissionregistration.k8s.io", "validatingwebhookconfigurations", false},
	{"admissionregistration.k8s.io", "validatingadmissionpolicies", false},
	{"admissionregistration.k8s.io", "validatingadmissionpolicybindings", false},
	{"sysctl-injector.dev", "sysctlpolicies", false},
	{"sysctl-injector.dev", "sysctlprofiles", false},
}

// InstallPermissions returns the permissions for an install of the chart into a namespace.
func InstallPermissions(namespace, source string) []Permission {
	var all []Permission
	for _, c := range created {
		p := Permission{Verb: "create", Group: c.group, Resource: c.resource}
		if c.namespaced {
			p.Namespace = namespace
		}
		all = append(all, p)
	}
	if source == CertManager {
		for _, resource := range []string{"certificates", "issuers"} {
			all = append(all, Permission{Verb: "create", Group: "cert-manager.io", Resource: resource,
				Namespace: namespace})
		}
	}
	return all
}

// Escalate is the permission to grant rights that one does not have.
func Escalate() Permission {
	return Permission{Verb: "escalate", Group: rbacv1.GroupName, Resource: "clusterroles"}
}

// GrantedPermissions returns the rights of the server. A caller without the verb "escalate" must hold each of them to
// grant it.
func GrantedPermissions() ([]Permission, error) {
	var role rbacv1.ClusterRole
	if err := templates.Decode(templates.Install, "install/clusterrole.yaml", &role); err != nil {
		return nil, err
	}
	return permissionsOf(role.Rules), nil
}

// permissionsOf returns the permissions that rules give. Rules that name objects give the same for each.
func permissionsOf(rules []rbacv1.PolicyRule) []Permission {
	var all []Permission
	for _, rule := range rules {
		for _, one := range validation.BreakdownRule(rule) {
			all = append(all, Permission{Verb: one.Verbs[0], Group: one.APIGroups[0], Resource: one.Resources[0]})
		}
	}
	return slices.Compact(all)
}

// JudgePermissions checks whether a person may install. User is empty if the API server does not return the name.
func JudgePermissions(asked int, denied []Permission, user string) []Check {
	if len(denied) == 0 {
		return []Check{QuestionPermissions.Pass("you may create all objects of an install (%d permissions)", asked)}
	}
	names := namesOf(denied)
	slices.Sort(names)
	command := ""
	if user != "" {
		command = "kubectl create clusterrolebinding sysctl-injector-installer --clusterrole=cluster-admin --user=" +
			shellQuote(user)
	}
	return []Check{QuestionPermissions.Fail("", "you lack permissions for an install: %s",
		list(slices.Compact(names))).
		fix("install as a cluster administrator, or ask one for the permissions:", command)}
}

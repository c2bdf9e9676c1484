package inspect

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// Permission is a verb on a resource. Namespace is empty for cluster-scoped resources.
type Permission struct{ Verb, Group, Resource, Namespace string }

func (p Permission) String() string { return p.Verb + " " + qualified(p.Resource, p.Group) }

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
	var all []Permission
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, Permission{Verb: verb, Group: group, Resource: resource})
				}
			}
		}
	}
	return all, nil
}

// JudgePermissions checks whether a person may install. User is empty if the API server does not return the name.
func JudgePermissions(asked int, denied []Permission, user string) []Check {
	if len(denied) == 0 {
		return []Check{QuestionPermissions.Pass("you may create all objects of an install (%d permissions)", asked)}
	}
	var names []string
	for _, p := range denied {
		names = append(names, p.String())
	}
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

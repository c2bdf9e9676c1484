package inspect

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// The names of the server's RBAC objects: the cluster-wide ones, and those for leader election.
const (
	ServerName     = "sysctl-injector"
	LeaderElection = ServerName + "-leader-election"
)

// Rights are the RBAC objects of the server. Each is nil if it does not exist.
type Rights struct {
	Namespace          string
	ClusterRole        *rbacv1.ClusterRole
	ClusterRoleBinding *rbacv1.ClusterRoleBinding
	Role               *rbacv1.Role
	RoleBinding        *rbacv1.RoleBinding
}

// Judge checks whether the server has the permissions for its settings.
func (r Rights) Judge(settings Settings) ([]Check, error) {
	var cluster rbacv1.ClusterRole
	if err := templates.Decode(templates.Install, "install/clusterrole.yaml", &cluster); err != nil {
		return nil, err
	}
	var leader rbacv1.Role
	if err := templates.Decode(templates.Install, "install/role-leaderelection.yaml", &leader); err != nil {
		return nil, err
	}
	account := fmt.Sprintf("--serviceaccount=%s:%s", r.Namespace, ServerName)
	const (
		powerless  = "so the server cannot read or write anything"
		leaderless = "so no server can become the leader"
	)
	var checks []Check
	fail := func(object, remedy, command, format string, args ...any) {
		checks = append(checks, QuestionRights.Fail(object, format, args...).
			fix(remedy, command))
	}
	if r.ClusterRole == nil {
		fail("clusterrole/"+ServerName, reinstall, "", "the ClusterRole %q does not exist, %s", ServerName, powerless)
	} else if held, missing := validation.Covers(r.ClusterRole.Rules, serverRules(cluster.Rules, settings)); !held {
		fail("clusterrole/"+ServerName, reinstall, "", "the ClusterRole %q lacks rights that the server needs: %s",
			ServerName, list(namesOf(permissionsOf(missing))))
	}
	if b := r.ClusterRoleBinding; b == nil || !r.isBound(b.RoleRef, b.Subjects, ServerName) {
		fail("clusterrolebinding/"+ServerName, "bind it:",
			fmt.Sprintf("kubectl create clusterrolebinding %[1]s --clusterrole=%[1]s %[2]s", ServerName, account),
			"the ClusterRole %q is not bound to the server's service account, %s", ServerName, powerless)
	}
	if r.Role == nil || !permits(r.Role.Rules, leader.Rules...) {
		fail("role/"+LeaderElection, reinstall, "",
			"the Role %q differs from this version, %s", LeaderElection, leaderless)
	}
	if b := r.RoleBinding; b == nil || !r.isBound(b.RoleRef, b.Subjects, LeaderElection) {
		fail("rolebinding/"+LeaderElection, "bind it:",
			fmt.Sprintf(
				"kubectl -n %[1]s create rolebinding %[2]s --role=%[2]s %[3]s", r.Namespace, LeaderElection, account),
			"the Role %q is not bound to the server's service account, %s", LeaderElection, leaderless)
	}
	if len(checks) == 0 {
		checks = append(checks, QuestionRights.Pass("the server's service account has the rights that it needs"))
	}
	return checks, nil
}

func (r Rights) isBound(ref rbacv1.RoleRef, subjects []rbacv1.Subject, role string) bool {
	return ref.Name == role && slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
		return s.Kind == rbacv1.ServiceAccountKind && s.Namespace == r.Namespace && s.Name == ServerName
	})
}

// serverRules omits the rules for grants if the server generates none, as the chart does.
func serverRules(rules []rbacv1.PolicyRule, settings Settings) []rbacv1.PolicyRule {
	if settings.Generate {
		return rules
	}
	return slices.DeleteFunc(slices.Clone(rules), func(rule rbacv1.PolicyRule) bool {
		return slices.Contains(rule.APIGroups, rbacv1.GroupName) ||
			slices.ContainsFunc([]string{"pods", "serviceaccounts", "sysctls"},
				func(resource string) bool { return slices.Contains(rule.Resources, resource) })
	})
}

// permits reports whether a role with these rules has all the wanted permissions.
func permits(held []rbacv1.PolicyRule, wanted ...rbacv1.PolicyRule) bool {
	all, _ := validation.Covers(held, wanted)
	return all
}

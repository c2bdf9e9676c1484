package inspect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// removalDelay is how much longer than the grace period an unused grant may exist: the controller checks
// periodically.
const removalDelay = 15 * time.Minute

// Account is a service account.
type Account struct{ Namespace, Name string }

// Grants are the grants of a cluster and what its injected pods need of them.
type Grants struct {
	// Needs are the sysctls that injected pods set, by service account.
	Needs map[Account]sets.Set[string]
	// Roles and Bindings are those with our label.
	Roles    []rbacv1.ClusterRole
	Bindings []rbacv1.RoleBinding
	// OtherRefs are the names of ClusterRoles that other bindings use.
	OtherRefs sets.Set[string]
	// Enrolled are the namespaces with the label.
	Enrolled sets.Set[string]
	Settings Settings
	Now      time.Time
}

// Add adds the needs of a pod. Pods need no grants outside enrolled namespaces, or if their container only reads.
func (g *Grants) Add(pod *corev1.Pod) {
	if !g.Enrolled.Has(pod.Namespace) || len(pod.Spec.InitContainers) == 0 ||
		pod.Spec.InitContainers[0].Name != v1alpha1.ContainerName {
		return
	}
	if phase := pod.Status.Phase; phase == corev1.PodSucceeded || phase == corev1.PodFailed {
		return
	}
	container := pod.Spec.InitContainers[0]
	context := container.SecurityContext
	isPrivileged := context != nil && context.Privileged != nil && *context.Privileged
	writesProc := context != nil && context.ProcMount != nil && *context.ProcMount == corev1.UnmaskedProcMount
	if !isPrivileged && !writesProc {
		return
	}
	assignments, errs := sysctl.Parse(strings.Join(container.Args, "\n"), nil)
	if len(errs) > 0 {
		return // not as the webhook writes it
	}
	account := Account{pod.Namespace, pod.Spec.ServiceAccountName}
	if g.Needs == nil {
		g.Needs = map[Account]sets.Set[string]{}
	}
	if g.Needs[account] == nil {
		g.Needs[account] = sets.New[string]()
	}
	for _, a := range assignments {
		g.Needs[account].Insert(a.Name)
	}
}

// Ungranted returns the needs that no object with our label meets. Other roles may meet them: ask the authorizer.
func (g *Grants) Ungranted() map[Account][]string {
	names := map[string][]string{} // of sysctls, by role
	for _, role := range g.Roles {
		for _, rule := range role.Rules {
			if permits([]rbacv1.PolicyRule{rule}, rbacv1.PolicyRule{
				Verbs: []string{"use"}, APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"sysctls"},
				ResourceNames: rule.ResourceNames,
			}) {
				names[role.Name] = append(names[role.Name], rule.ResourceNames...)
			}
		}
	}
	granted := map[Account]sets.Set[string]{}
	for _, binding := range g.Bindings {
		for _, subject := range binding.Subjects {
			account := Account{subject.Namespace, subject.Name}
			if subject.Kind != rbacv1.ServiceAccountKind || subject.Namespace != binding.Namespace {
				continue
			}
			if granted[account] == nil {
				granted[account] = sets.New[string]()
			}
			granted[account].Insert(names[binding.RoleRef.Name]...)
		}
	}
	missing := map[Account][]string{}
	for account, needs := range g.Needs {
		if lacks := sets.List(needs.Difference(granted[account])); len(lacks) > 0 {
			missing[account] = lacks
		}
	}
	return missing
}

// Judge judges the grants. Denied are the needs that the authorizer does not meet either.
func (g *Grants) Judge(denied map[Account][]string) []Check {
	var checks []Check
	byName := func(a, b Account) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	}
	for _, account := range slices.SortedFunc(maps.Keys(denied), byName) {
		remedy := "apply the grants:"
		if g.Settings.Generate {
			remedy = "the leader repairs grants, so see the check ServerLeader; or apply them:"
		}
		checks = append(checks, QuestionMissing.Fail("serviceaccount/"+account.Name,
			"pods of service account %q in namespace %q set sysctls that it may not use: %s. "+
				"The guard may reject the next such pod", account.Name, account.Namespace, list(denied[account])).
			fix(remedy, fmt.Sprintf("sysctl-injector companion -n %s --serviceaccount %s %s | kubectl apply -f -",
				account.Namespace, account.Name, strings.Join(denied[account], " "))))
	}
	if len(checks) == 0 {
		checks = append(checks, QuestionMissing.Pass("the injected pods of %s have the grants that they need",
			counted(len(g.Needs), "service account", "service accounts")))
	}
	return append(checks, g.JudgeStray()...)
}

// JudgeStray finds unused grants. In the mode generate, the leader marks them and removes them after the grace
// period. In the mode require, an administrator applied them, so they are stray only if they have no effect.
func (g *Grants) JudgeStray() []Check {
	var checks []Check
	refs := g.OtherRefs.Clone()
	roles := sets.New[string]()
	for _, role := range g.Roles {
		roles.Insert(role.Name)
	}
	for i := range g.Bindings {
		b := &g.Bindings[i]
		refs.Insert(b.RoleRef.Name)
		var why string
		switch {
		case !roles.Has(b.RoleRef.Name):
			why = fmt.Sprintf("its ClusterRole %q does not exist", b.RoleRef.Name)
		case !g.Settings.Generate && !g.Enrolled.Has(b.Namespace):
			why = "its namespace is not enrolled"
		case g.isLeft(b.ObjectMeta):
			why = "no pod has used it for longer than the grace period"
		default:
			continue
		}
		object := "rolebinding/" + b.Name
		checks = append(checks, QuestionStray.Warn(object,
			"RoleBinding %q in namespace %q is an unused grant: %s", b.Name, b.Namespace, why).
			fix("delete it:", fmt.Sprintf("kubectl -n %s delete %s", b.Namespace, shellQuote(object))))
	}
	for i := range g.Roles {
		role := &g.Roles[i]
		if refs.Has(role.Name) || g.Settings.Generate && !g.isLeft(role.ObjectMeta) {
			continue
		}
		object := "clusterrole/" + role.Name // a name alone could look like a flag
		checks = append(checks, QuestionStray.Warn(object, "no binding uses ClusterRole %q", role.Name).
			fix("delete it:", "kubectl delete "+shellQuote(object)))
	}
	if len(checks) == 0 {
		checks = append(checks, QuestionStray.Pass("no grant is left over (%s)",
			counted(len(g.Bindings), "binding", "bindings")))
	}
	return checks
}

// isLeft reports whether the leader should have removed a grant.
func (g *Grants) isLeft(object metav1.ObjectMeta) bool {
	since, err := time.Parse(time.RFC3339, object.Annotations[v1alpha1.UnusedSinceAnnotation])
	return err == nil && g.Now.Sub(since) > g.Settings.Grace+removalDelay
}

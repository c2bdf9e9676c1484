package app

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// grants checks the grants of the injected pods in enrolled namespaces.
func (e *examination) grants(ctx context.Context, enrolled sets.Set[string]) error {
	if !e.settingsKnown(inspect.QuestionMissing) {
		return nil
	}
	g := &inspect.Grants{Enrolled: enrolled, Settings: e.settings, Now: e.now, OtherRefs: sets.New[string]()}
	ours := client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}
	var roles rbacv1.ClusterRoleList
	var bindings rbacv1.RoleBindingList
	for _, list := range []client.ObjectList{&roles, &bindings} {
		if err := listAll(ctx, e.cluster, list, ours); err != nil {
			e.add(inspect.QuestionStray.Unread("the grants", err))
			return nil
		}
	}
	g.Roles, g.Bindings = roles.Items, bindings.Items
	if err := e.otherRefs(ctx, g); err != nil {
		e.add(inspect.QuestionStray.Unread("the bindings of others", err))
		return nil
	}
	// "use" on a PodSecurityPolicy covers the whole policy, and other pods use it too.
	if e.settings.Backend != "psp" {
		err := eachItem(ctx, e.cluster, &corev1.PodList{}, func(item runtime.Object) error {
			if pod, ok := item.(*corev1.Pod); ok {
				g.Add(pod)
			}
			return nil
		}, client.MatchingLabels{v1alpha1.InjectedLabel: "true"})
		if err != nil {
			e.add(inspect.QuestionMissing.Unread("the injected pods", err))
			e.add(g.JudgeStray()...)
			return nil
		}
	}
	denied := map[inspect.Account][]string{}
	for account, names := range g.Ungranted() {
		for _, name := range names {
			allowed, err := grants.MayUse(ctx, e.cluster, account.Namespace, account.Name, name)
			if err != nil {
				e.add(inspect.QuestionMissing.Unread("what service accounts may use", err))
				e.add(g.JudgeStray()...)
				return nil
			}
			if !allowed {
				denied[account] = append(denied[account], name)
			}
		}
	}
	e.add(g.Judge(denied)...)
	return nil
}

// otherRefs returns which of our roles the bindings of others name. It reads those bindings only if one of our roles
// has no binding of ours.
func (e *examination) otherRefs(ctx context.Context, g *inspect.Grants) error {
	bound := sets.New[string]()
	for _, b := range g.Bindings {
		bound.Insert(b.RoleRef.Name)
	}
	unbound := sets.New[string]()
	for _, role := range g.Roles {
		if !bound.Has(role.Name) {
			unbound.Insert(role.Name)
		}
	}
	if unbound.Len() == 0 {
		return nil
	}
	add := func(ref rbacv1.RoleRef) {
		if ref.Kind == "ClusterRole" && unbound.Has(ref.Name) {
			g.OtherRefs.Insert(ref.Name)
		}
	}
	if err := eachItem(ctx, e.cluster, &rbacv1.RoleBindingList{}, func(item runtime.Object) error {
		if b, ok := item.(*rbacv1.RoleBinding); ok {
			add(b.RoleRef)
		}
		return nil
	}); err != nil {
		return err
	}
	return eachItem(ctx, e.cluster, &rbacv1.ClusterRoleBindingList{}, func(item runtime.Object) error {
		if b, ok := item.(*rbacv1.ClusterRoleBinding); ok {
			add(b.RoleRef)
		}
		return nil
	})
}

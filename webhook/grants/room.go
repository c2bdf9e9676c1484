package grants

import (
	"cmp"
	"context"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// withinLimit returns the objects that may be applied for the live pods of a namespace: those of roles that are bound
// there, and those of others while the limit on names leaves room. Admission limits the names of new pods, but the
// annotations of a live pod can be changed at any time.
func (c *Controller) withinLimit(
	ctx context.Context, namespace string, wanted []client.Object,
) ([]client.Object, error) {
	bound, err := c.Granter.boundRoles(ctx, namespace)
	if err != nil {
		return nil, err
	}
	var roles []string
	for _, object := range wanted {
		if binding, ok := object.(*rbacv1.RoleBinding); ok {
			roles = append(roles, binding.RoleRef.Name)
		}
	}
	slices.SortStableFunc(roles, func(a, b string) int { return cmp.Compare(order(a), order(b)) })
	skipped := c.Granter.usage.reserve(c.Granter.now(), namespace, bound, roles)
	if len(skipped) == 0 {
		return wanted, nil
	}
	ctrl.LoggerFrom(ctx).Info("Skipped grants of live pods beyond the limit of the namespace", "namespace", namespace,
		"skipped", len(skipped), "limit", c.Granter.Limits.Names)
	return slices.DeleteFunc(wanted, isOfRoles(skipped, wanted)), nil
}

// order puts the roles for SecurityContextConstraints first: without them, the roles for sysctls are of no use.
func order(role string) int {
	if role == constraintsRole || role == userNamespaceConstraintsRole {
		return 0
	}
	return 1
}

// isOfRoles returns a function that reports whether an object is one of some roles, binds one of them, or is a policy
// that no other role of the objects names.
func isOfRoles(roles sets.Set[string], objects []client.Object) func(client.Object) bool {
	named := sets.New[string]()
	for _, object := range objects {
		if role, ok := object.(*rbacv1.ClusterRole); ok && !roles.Has(role.Name) {
			named.Insert(role.Rules[0].ResourceNames...)
		}
	}
	return func(object client.Object) bool {
		switch object := object.(type) {
		case *rbacv1.ClusterRole:
			return roles.Has(object.Name)
		case *rbacv1.RoleBinding:
			return roles.Has(object.RoleRef.Name)
		default:
			return !named.Has(object.GetName())
		}
	}
}

// reserve counts roles as granted in a namespace, in their order while the limit on names leaves room, and returns the
// others. bound are the roles that the cache shows as bound there.
func (u *usage) reserve(now time.Time, namespace string, bound sets.Set[string], roles []string) sets.Set[string] {
	u.mu.Lock()
	defer u.mu.Unlock()
	of := u.of(now, namespace)
	inUse := of.inUse(now, bound)
	skipped := sets.New[string]()
	for _, role := range roles {
		switch {
		case inUse.Has(role):
		case inUse.Len() >= u.limits.Names:
			skipped.Insert(role)
		default:
			inUse.Insert(role)
			of.names[role] = now.Add(settleAge)
		}
	}
	return skipped
}

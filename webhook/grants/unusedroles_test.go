package grants

import (
	"maps"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// The roles are looked at together: those that others bind stay, and the cluster's bindings are listed once, or not
// at all.
func TestUnusedRoles(t *testing.T) {
	const grace = time.Hour
	role := func(name string, unused time.Duration) *rbacv1.ClusterRole {
		r := &rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-2 * grace))},
		}
		if unused > 0 {
			r.Annotations = map[string]string{UnusedSinceAnnotation: now.Add(-unused).Format(time.RFC3339)}
		}
		return r
	}
	bound := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "b"},
		RoleRef:    rbacv1.RoleRef{Kind: "ClusterRole", Name: "used"},
	}
	g, _ := newGranter(t, nil, bound, role("used", 2*grace), role("new", 0), role("marked", time.Minute),
		role("others", grace), role("same-name", grace), role("over", grace))
	found := &inventory{
		bound: []rbacv1.RoleRef{{Kind: "ClusterRole", Name: "others"}, {Kind: "Role", Name: "same-name"}},
	}
	c := newController(t, g, found, grace)
	reconcileTwice := func() {
		t.Helper()
		for range 2 {
			if _, err := c.Reconcile(t.Context(), reconcile.Request{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	reconcileTwice()
	roles := &rbacv1.ClusterRoleList{}
	if err := g.Client.List(t.Context(), roles); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{} // whether it is marked
	for i := range roles.Items {
		got[roles.Items[i].Name] = isMarked(&roles.Items[i])
	}
	if want := map[string]bool{"used": false, "new": true, "marked": true, "others": true}; !maps.Equal(got, want) {
		t.Errorf("the roles are %v, want %v (true: marked)", got, want)
	}
	if found.listed != 1 {
		t.Errorf("the bindings are listed %d times in two rounds at the same time", found.listed)
	}
	g.now = func() time.Time { return now.Add(grace) }
	reconcileTwice()
	if found.listed != 2 {
		t.Errorf("the bindings are listed %d times in two grace periods", found.listed)
	}
	found.bound, found.listed = nil, 0
	g.now = func() time.Time { return now.Add(2 * grace) }
	reconcileTwice() // the first round removes the last role that is due
	if found.listed != 1 {
		t.Errorf("the bindings are listed %d times, want once: no role is due in the second round", found.listed)
	}
	if err := g.Client.List(t.Context(), roles); err != nil || len(roles.Items) != 1 {
		t.Errorf("%d roles are left, want the one that is used; error %v", len(roles.Items), err)
	}
}

// Each role is looked at once in a grace period, also if others are due in between.
func TestRolesOfOthersAreNotDueWithOthers(t *testing.T) {
	const grace = time.Hour
	role := func(name string, unused time.Duration) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name,
			Annotations: map[string]string{UnusedSinceAnnotation: now.Add(-unused).Format(time.RFC3339)}}}
	}
	g, _ := newGranter(t, nil, role("others", grace), role("later", grace/2))
	c := newController(t, g, &inventory{bound: []rbacv1.RoleRef{{Kind: "ClusterRole", Name: "others"},
		{Kind: "ClusterRole", Name: "later"}}}, grace)
	for _, step := range []struct{ at, again time.Duration }{
		{0, grace / 2}, {grace / 4, grace / 4}, {grace / 2, grace / 2}, {3 * grace / 4, grace / 4}, {grace, grace / 2},
	} {
		g.now = func() time.Time { return now.Add(step.at) }
		result, err := c.Reconcile(t.Context(), allRoles)
		if err != nil || result.RequeueAfter != step.again {
			t.Errorf("at %s: the next look is after %s, want %s; error %v", step.at, result.RequeueAfter, step.again, err)
		}
	}
}

// A role that others bind may be free of them at any time, and nothing tells the controller. It looks again after
// each grace period.
func TestRolesOfOthersAreLookedAtAgain(t *testing.T) {
	const grace = time.Minute
	overdue := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{
		Name: "others", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)),
		Annotations: map[string]string{UnusedSinceAnnotation: now.Add(-2 * grace).Format(time.RFC3339)},
	}}
	g, _ := newGranter(t, nil, overdue)
	c := newController(t, g, &inventory{bound: []rbacv1.RoleRef{{Kind: "ClusterRole", Name: "others"}}}, grace)
	result, err := c.Reconcile(t.Context(), allRoles)
	if want := (ctrl.Result{RequeueAfter: grace}); err != nil || result != want {
		t.Errorf("result %v, error %v, want %v", result, err, want)
	}
}

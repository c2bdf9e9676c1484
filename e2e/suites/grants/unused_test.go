package grants_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

const unusedSince = "sysctl-injector.dev/unused-since"

// unused is a RoleBinding of the server that no pod has needed since the time given.
func unused(namespace, name, since string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: ours, Annotations: map[string]string{unusedSince: since},
		},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "sysctl-injector:" + name},
	}
}

func namespaceObject(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// A grant is removed when no live pod has used it for the grace period: first the binding, then the role, unless
// another binding uses it.
func TestUnusedGrantsAreRemoved(t *testing.T) {
	const grace = 2 * time.Second
	const alone, boundHere, boundEverywhere = "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_max_syn_backlog",
		"net.ipv4.tcp_retries2"
	s := newSite(t, serverConfig{args: []string{"--grants-grace-period=" + grace.String()}})
	namespace := s.namespace(t)
	gone := create(t, newPod(namespace, "default", alone, boundHere, boundEverywhere))
	ended := create(t, newPod(namespace, "default", alone))
	create(t, newPod(namespace, "default", "net.core.somaxconn"))

	ref := func(sysctl string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role(sysctl).Name}
	}
	here := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "an-administrators"},
		RoleRef: ref(boundHere)}
	everywhere := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "an-administrators"},
		RoleRef: ref(boundEverywhere)}
	must(t, admin.Create(t.Context(), here))
	must(t, admin.Create(t.Context(), everywhere))
	t.Cleanup(func() { _ = admin.Delete(context.WithoutCancel(t.Context()), everywhere) })

	log := newAudit(t)
	remove(t, gone)
	// A pod that has ended uses nothing.
	must(t, admin.Status().Patch(t.Context(), ended, client.RawPatch(types.MergePatchType,
		[]byte(`{"status": {"phase": "Succeeded"}}`))))
	for _, sysctl := range []string{alone, boundHere, boundEverywhere} {
		awaitGone(t, binding(namespace, "default", sysctl))
	}
	awaitGone(t, role(alone))
	// The bindings of others are listed once for all roles that are due: the roles that stay are due again after each
	// grace period.
	eventually(t, "a round after the removal", func(context.Context) (bool, error) {
		got := summary(log.calls(t, installation.Name))
		return got["list rolebindings: 200"] >= 2 && got["list clusterrolebindings: 200"] >= 2, nil
	})
	want := map[string]int{
		"patch rolebindings: 200": 3, "delete rolebindings: 200": 3, // each is counted, and then deleted
		"patch clusterroles: 200": 3, "delete clusterroles: 200": 1,
	}
	writes := succeeded(log.writes(t, installation.Name))
	if got := summary(writes); !cmp.Equal(got, want) {
		t.Errorf("the server writes %v, want %v", got, want)
	}
	// Not before the grace period has passed.
	since := map[string]time.Time{}
	for _, c := range writes {
		switch {
		case c.Verb == "patch":
			since[c.ObjectRef.Name] = c.RequestReceivedTimestamp
		case c.StageTimestamp.Sub(since[c.ObjectRef.Name]) < grace-time.Second: // the annotation has whole seconds
			t.Errorf("%s %q goes %s after it was found to be unused", c.ObjectRef.Resource, c.ObjectRef.Name,
				c.StageTimestamp.Sub(since[c.ObjectRef.Name]))
		}
	}

	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(role(boundHere)), role(boundHere)))
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(role(boundEverywhere)), role(boundEverywhere)))
	used := binding(namespace, "default", "net.core.somaxconn")
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(used), used))
	if len(used.Annotations) > 0 {
		t.Errorf("a binding in use has annotations %v", used.Annotations)
	}

	must(t, admin.Delete(t.Context(), here))
	must(t, admin.Delete(t.Context(), everywhere))
	awaitGone(t, role(boundHere))
	awaitGone(t, role(boundEverywhere))
}

// The time is kept in the object, so a restarted server continues the count.
func TestCountSurvivesRestart(t *testing.T) {
	s := newSite(t, serverConfig{args: []string{"--grants-grace-period=1h"}})
	namespace := s.namespace(t)
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
	counting, over := unused(namespace, "counting", ago(30*time.Minute)), unused(namespace, "over", ago(61*time.Minute))
	create(t, newPod(namespace, "default", "net.core.somaxconn"))

	needed := binding(namespace, "default", "net.core.somaxconn")
	s.terminate(t)
	for _, object := range []client.Object{counting, over} {
		must(t, admin.Create(t.Context(), object))
	}
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(needed), needed))
	needed.Annotations = map[string]string{unusedSince: ago(2 * time.Hour)}
	must(t, admin.Update(t.Context(), needed))

	log := newAudit(t)
	s.server = start(t, s.config)
	awaitGone(t, over)
	awaitObject(t, "the count of a binding in use to end", binding(namespace, "default", "net.core.somaxconn"),
		func(b *rbacv1.RoleBinding) bool {
			return b.UID == needed.UID && len(b.Annotations) == 0
		})
	s.restart(t)
	// The used binding loses its annotation, and is applied again in case it has changed.
	want := map[string]int{"delete rolebindings: 200": 1, "patch rolebindings: 200": 2}
	if got := summary(succeeded(log.writes(t, installation.Name))); !cmp.Equal(got, want) {
		t.Errorf("the servers write %v, want %v", got, want)
	}
	found := counting.DeepCopy()
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(found), found))
	if diff := cmp.Diff(counting.ObjectMeta, found.ObjectMeta); diff != "" {
		t.Errorf("the binding that still counts (-before +now):\n%s", diff)
	}
}

package grants_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// The grants of a live pod are restored after any change, also if no server runs at that moment.
func TestRepair(t *testing.T) {
	const sysctl = "net.core.somaxconn"
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t)
	create(t, newPod(namespace, "default", sysctl))
	wantedRole, wantedBinding := role(sysctl), binding(namespace, "default", sysctl)
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(wantedRole), wantedRole))
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(wantedBinding), wantedBinding))

	remake := func(ctx context.Context, edit func(*rbacv1.RoleBinding)) error {
		// The server may restore the binding in between.
		return retry.OnError(retry.DefaultRetry, apierrors.IsAlreadyExists, func() error {
			if err := admin.Delete(ctx, binding(namespace, "default", sysctl)); err != nil {
				return err
			}
			other := wantedBinding.DeepCopy()
			other.ResourceVersion, other.UID = "", ""
			edit(other)
			return admin.Create(ctx, other)
		})
	}
	for _, test := range []struct {
		name  string
		spoil func(context.Context) error
	}{
		{"a deleted RoleBinding", func(ctx context.Context) error {
			return admin.Delete(ctx,
				binding(namespace, "default", sysctl))
		}},
		{"a deleted ClusterRole", func(ctx context.Context) error { return admin.Delete(ctx, role(sysctl)) }},
		{"a RoleBinding with an additional subject", func(ctx context.Context) error {
			patch := client.RawPatch(types.JSONPatchType,
				[]byte(`[{"op": "add", "path": "/subjects/-", "value": {"kind": "ServiceAccount", "namespace": `+
					`"default", "name": "default"}}]`))
			return admin.Patch(ctx, binding(namespace, "default", sysctl), patch)
		}},
		{"a RoleBinding without subjects", func(ctx context.Context) error {
			return admin.Patch(ctx, binding(namespace, "default", sysctl),
				client.RawPatch(types.MergePatchType, []byte(`{"subjects": null}`)))
		}},
		{"a ClusterRole with an additional rule", func(ctx context.Context) error {
			patch := client.RawPatch(types.JSONPatchType,
				[]byte(`[{"op": "add", "path": "/rules/-", "value": {"apiGroups": [""], "resources": ["secrets"], `+
					`"verbs": ["get"]}}]`))
			return admin.Patch(ctx, role(sysctl), patch)
		}},
		{"a ClusterRole without rules", func(ctx context.Context) error {
			return admin.Patch(ctx, role(sysctl), client.RawPatch(types.MergePatchType, []byte(`{"rules": []}`)))
		}},
		{"a ClusterRole that aggregates others", func(ctx context.Context) error {
			patch := []byte(`{"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": ` +
				`{"example.com/part": "of"}}]}}`)
			return admin.Patch(ctx, role(sysctl), client.RawPatch(types.MergePatchType, patch))
		}},
		{"a RoleBinding to another role", func(ctx context.Context) error {
			return remake(ctx, func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "cluster-admin" })
		}},
		{"both deleted while no server runs", func(ctx context.Context) error {
			s.terminate(t)
			if err := admin.Delete(ctx, binding(namespace, "default", sysctl)); err != nil {
				return err
			}
			if err := admin.Delete(ctx, role(sysctl)); err != nil {
				return err
			}
			s.server = start(t, s.config)
			return nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			must(t, test.spoil(t.Context()))
			awaitObject(t, "the RoleBinding to be restored", binding(namespace, "default", sysctl),
				func(b *rbacv1.RoleBinding) bool {
					return cmp.Equal(b.RoleRef, wantedBinding.RoleRef) && cmp.Equal(b.Subjects, wantedBinding.Subjects)
				})
			awaitObject(t, "the ClusterRole to be restored", role(sysctl), func(r *rbacv1.ClusterRole) bool {
				return cmp.Equal(r.Rules, wantedRole.Rules) && r.AggregationRule == nil
			})
		})
	}
}

// A grant that cannot be restored, because a foreign object has its name, does not stop the repair of the namespace's
// other grants.
func TestRepairContinuesAfterAForeignObject(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t)
	create(t, newPod(namespace, "default", "net.core.somaxconn", "net.ipv4.tcp_retries2"))
	// The first grant in the order of repair.
	taken := binding(namespace, "default", "net.core.somaxconn")
	must(t, admin.Patch(t.Context(), taken, client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata": {"labels": null}, "subjects": null}`))))
	s.awaitLog(t, `"level":"ERROR"`,
		`RoleBinding \"`+namespace+`/sysctl-injector:net.core.somaxconn:default\"`+notChanged)
	must(t, admin.Delete(t.Context(), binding(namespace, "default", "net.ipv4.tcp_retries2")))
	awaitObject(t, "the other RoleBinding to be restored", binding(namespace, "default", "net.ipv4.tcp_retries2"),
		func(*rbacv1.RoleBinding) bool { return true })
	found := taken.DeepCopy()
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(found), found))
	if found.ResourceVersion != taken.ResourceVersion {
		t.Errorf("the object without our label was %v, and is now %v", taken, found)
	}
}

// A live pod that would not be admitted gets no grants, and objects without our label stay as they are.
func TestForgedPods(t *testing.T) {
	s := newSite(t, serverConfig{args: []string{"--grants-grace-period=1h"}})
	foreign, enrolled := s.namespace(t), s.namespace(t)
	s.terminate(t)

	// Pods that look injected, in a namespace that is not enrolled, and in an enrolled one whose webhook did not see
	// them.
	label := func(namespace, value string) {
		t.Helper()
		patch := []byte(`{"metadata": {"labels": {"` + v1alpha1.InjectLabel + `": ` + value + `}}}`)
		must(t, admin.Patch(t.Context(), namespaceObject(namespace), client.RawPatch(types.MergePatchType, patch)))
	}
	label(foreign, "null")
	label(enrolled, "null")
	forge := func(namespace, sysctl string) {
		t.Helper()
		pod := newPod(namespace, "default", sysctl)
		pod.Labels = map[string]string{v1alpha1.InjectedLabel: "true"}
		eventually(t, "the pod to get past the webhook", func(ctx context.Context) (bool, error) {
			return admin.Create(ctx, pod.DeepCopy()) == nil, nil // the API server calls it until it knows of the label
		})
	}
	forge(foreign, "net.core.somaxconn")
	forge(enrolled, "vm.max_map_count")
	forge(enrolled, "no such thing")
	label(enrolled, `"enabled"`)

	// The removal of the old binding shows that a namespace has been reconciled. Objects without the label are not
	// removed.
	const longAgo = "2020-01-01T00:00:00Z"
	old := []*rbacv1.RoleBinding{unused(foreign, "old", longAgo), unused(enrolled, "old", longAgo)}
	others := []client.Object{unused(foreign, "others", longAgo), unused(enrolled, "others", longAgo),
		role("net.ipv4.tcp_others")}
	for _, object := range others {
		object.SetLabels(nil)
	}
	others[2].SetAnnotations(map[string]string{unusedSince: longAgo})
	for _, object := range append(others, old[0], old[1]) {
		must(t, admin.Create(t.Context(), object))
	}
	t.Cleanup(func() { must(t, admin.Delete(context.WithoutCancel(t.Context()), others[2])) })
	log := newAudit(t)
	s.server = start(t, s.config)
	awaitGone(t, old[0])
	awaitGone(t, old[1])
	if got, want := summary(succeeded(log.writes(t, installation.Name))),
		map[string]int{"delete rolebindings: 200": 2}; !cmp.Equal(got, want) {
		t.Errorf("the server writes %v, want %v", got, want)
	}
	for _, object := range others {
		found := object.DeepCopyObject().(client.Object)
		must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(object), found))
		if found.GetResourceVersion() != object.GetResourceVersion() {
			t.Errorf("%q was touched: %v", object.GetName(), found)
		}
	}
}

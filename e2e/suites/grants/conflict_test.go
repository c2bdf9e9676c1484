package grants_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const notChanged = ` exists without the label app.kubernetes.io/managed-by=sysctl-injector, so it is not changed; ` +
	`delete it, or add the label`

// An object with the name of a grant but without the label is not changed.
func TestForeignObjectsAreNotChanged(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t)
	foreignRole := role("net.ipv4.tcp_fin_timeout")
	foreignRole.Rules = []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"},
		Verbs: []string{"get"}}}
	foreignBinding := binding(namespace, "default", "net.ipv4.tcp_retries2")
	foreignBinding.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}
	foreignBinding.Labels = map[string]string{v1alpha1.ManagedByLabel: "Helm"}
	for _, test := range []struct {
		name, sysctl string
		object       client.Object
		message      string
	}{
		{"a ClusterRole", "net.ipv4.tcp_fin_timeout", foreignRole,
			`GrantFailed: ClusterRole "sysctl-injector:net.ipv4.tcp_fin_timeout"` + notChanged},
		{"a RoleBinding", "net.ipv4.tcp_retries2", foreignBinding, `GrantFailed: RoleBinding "` + namespace +
			`/sysctl-injector:net.ipv4.tcp_retries2:default"` + notChanged},
	} {
		t.Run(test.name, func(t *testing.T) {
			must(t, admin.Create(t.Context(), test.object))
			t.Cleanup(func() {
				must(t, client.IgnoreNotFound(admin.Delete(context.WithoutCancel(t.Context()),
					test.object)))
			})
			log := newAudit(t)
			rejects(t, newPod(namespace, "default", test.sysctl), test.message)
			if test.object == client.Object(foreignRole) {
				if writes := log.writes(t, installation.Name); len(writes) > 0 {
					t.Errorf("the server writes: %v", writes)
				}
			}
			found := test.object.DeepCopyObject().(client.Object)
			must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(found), found))
			if found.GetResourceVersion() != test.object.GetResourceVersion() ||
				found.GetUID() != test.object.GetUID() {
				t.Errorf("the object was %v, and is now %v", test.object, found)
			}
			must(t, admin.Delete(t.Context(), test.object))
			create(t, newPod(namespace, "default", test.sysctl))
		})
	}
}

// An object with the label that cannot be changed into the needed one is deleted and created again.
func TestImmutableObjectsAreReplaced(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t)
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "default"}}

	wrongRef := binding(namespace, "default", "net.ipv4.tcp_fin_timeout")
	wrongRef.Labels, wrongRef.Subjects = ours, subjects
	wrongRef.RoleRef = rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}
	aggregating := role("net.ipv4.tcp_retries2")
	aggregating.Labels, aggregating.AggregationRule = ours,
		&rbacv1.AggregationRule{
			ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"example.com/part": "of"}}}}
	for _, test := range []struct {
		name, sysctl string
		object       client.Object
	}{
		{"a RoleBinding to another role", "net.ipv4.tcp_fin_timeout", wrongRef},
		{"a ClusterRole that aggregates others", "net.ipv4.tcp_retries2", aggregating},
	} {
		t.Run(test.name, func(t *testing.T) {
			must(t, admin.Create(t.Context(), test.object))
			create(t, newPod(namespace, "default", test.sysctl))
			foundRole, found := role(test.sysctl), binding(namespace, "default", test.sysctl)
			must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(foundRole), foundRole))
			must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(found), found))
			if found.UID == test.object.GetUID() || foundRole.UID == test.object.GetUID() {
				t.Errorf("%q was not created again", test.object.GetName())
			}
			if diff := cmp.Diff(rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: foundRole.Name},
				found.RoleRef); diff != "" {
				t.Errorf("roleRef (-want +got):\n%s", diff)
			}
			if foundRole.AggregationRule != nil || len(foundRole.Rules) != 1 {
				t.Errorf("the role is %v", foundRole)
			}
		})
	}
}

// The advice in the rejection works: with the label, the server takes the object over and makes it the needed one.
func TestLabelledObjectIsTakenOver(t *testing.T) {
	s := newSite(t, serverConfig{})
	namespace := s.namespace(t)
	foreign := role("net.ipv4.tcp_fin_timeout")
	must(t, admin.Create(t.Context(), foreign))
	rejects(t, newPod(namespace, "default", "net.ipv4.tcp_fin_timeout"),
		`GrantFailed: ClusterRole "sysctl-injector:net.ipv4.tcp_fin_timeout"`+notChanged)
	foreign.Labels = ours
	must(t, admin.Update(t.Context(), foreign))
	create(t, newPod(namespace, "default", "net.ipv4.tcp_fin_timeout"))
	if !mayUse(t, namespace, "default", "net.ipv4.tcp_fin_timeout") {
		t.Error("the pod is admitted without its grant")
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign); err != nil ||
		len(foreign.Rules) != 1 {
		t.Errorf("the role is %v: %v", foreign.Rules, err)
	}
}

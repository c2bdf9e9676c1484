package grants_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Only one of several servers writes. When it ends or is killed, another one takes over. Each server has a service
// account of its own with the shipped rights, so that the audit log distinguishes them.
func TestOneServerLeads(t *testing.T) {
	suite.Cluster(t)
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace,
		Name: "sysctl-injector"}}
	t.Cleanup(func() {
		must(t, client.IgnoreNotFound(admin.Delete(context.WithoutCancel(t.Context()), lease)))
	})
	servers := map[string]*server{}
	for n := range 3 {
		account := fmt.Sprintf("replica-%d", n)
		must(t, addAccount(t.Context(), account, "sysctl-injector"))
		must(t, admin.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace, Name: account},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role",
				Name: "sysctl-injector-leader-election"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: installation.Namespace,
				Name: account}},
		}))
		servers[account] = start(t,
			serverConfig{account: account, args: []string{"--namespace=" + installation.Namespace}})
	}
	// A standby is ready too: it answers about pods.
	generation := 0
	policy := &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "leader"},
		Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"net.none"}}}}}
	t.Cleanup(func() {
		must(t, client.IgnoreNotFound(admin.Delete(context.WithoutCancel(t.Context()), policy)))
	})
	log := newAudit(t)
	must(t, admin.Create(t.Context(), policy))
	// writer waits until the policy's status is written, and returns the account of the server that wrote it.
	writer := func() string {
		t.Helper()
		generation++
		awaitObject(t, "the policy to tell its state", policy, func(p *v1alpha1.SysctlPolicy) bool {
			return len(p.Status.Conditions) == 1 && p.Status.Conditions[0].ObservedGeneration == int64(generation)
		})
		var writers []string
		for account := range servers {
			want := map[string]int{"update sysctlpolicies: 200": 1}
			if got := summary(log.statuses(t, account)); cmp.Equal(got, want) {
				writers = append(writers, account)
			} else if len(got) > 0 {
				t.Errorf("%s writes %v, want %v or nothing", account, got, want)
			}
		}
		if len(writers) != 1 {
			t.Fatalf("%v write, want one of them", writers)
		}
		return writers[0]
	}
	touch := func() {
		t.Helper()
		log = newAudit(t)
		patch := fmt.Appendf(nil, `{"spec": {"serviceAccountNames": ["generation-%d"]}}`, generation)
		must(t, admin.Patch(t.Context(), policy, client.RawPatch(types.MergePatchType, patch)))
	}
	first := writer()
	touch()
	if again := writer(); again != first {
		t.Errorf("the leader was %s, and is %s", first, again)
	}

	// A server that ends releases the Lease.
	servers[first].terminate(t)
	touch()
	second := writer()

	// A killed server does not. An administrator shortens the Lease, so that the test need not wait until it expires.
	servers[second].Kill()
	must(t, admin.Patch(t.Context(), lease, client.RawPatch(types.MergePatchType,
		[]byte(`{"spec": {"leaseDurationSeconds": 1}}`))))
	touch()
	third := writer()
	if all := []string{first, second, third}; len(slices.Compact(slices.Sorted(slices.Values(all)))) != 3 {
		t.Errorf("the leaders were %v", all)
	}
}

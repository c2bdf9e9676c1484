package grants

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What becomes of an object, by how long it has been there and been unused, and when it is looked at again.
func TestRetire(t *testing.T) {
	const grace = time.Hour
	ago := func(d time.Duration) string { return now.Add(-d).Format(time.RFC3339) }
	since := func(text string) map[string]string { return map[string]string{UnusedSinceAnnotation: text} }
	for _, test := range []struct {
		name        string
		age         time.Duration
		annotations map[string]string
		used, kept  bool
		grace       time.Duration

		gone  bool
		want  map[string]string // its annotations
		again time.Duration
	}{
		{name: "in use", age: time.Hour, used: true},
		{name: "in use again", age: time.Hour, used: true, annotations: since(ago(time.Minute)), want: map[string]string{}},
		{name: "just made, before its pod is known", age: time.Second, again: 9 * time.Second},
		{name: "just made, with a short grace period", age: time.Second, grace: 3 * time.Second, again: 2 * time.Second},
		{name: "found unused", age: settleAge, want: since(ago(0)), again: grace},
		{name: "with a count that cannot be read", age: time.Hour, annotations: since("yesterday"), want: since(ago(0)), again: grace},
		{name: "within its grace period", age: time.Hour, annotations: since(ago(40 * time.Minute)), want: since(ago(40 * time.Minute)), again: 20 * time.Minute},
		{name: "at the end of its grace period", age: time.Hour, annotations: since(ago(grace)), gone: true},
		{name: "after its grace period, young as it may be", age: 0, annotations: since(ago(2 * grace)), gone: true},
		{name: "after its grace period, but bound by others", age: time.Hour, annotations: since(ago(grace)), kept: true, want: since(ago(grace)), again: grace},
		{name: "with a count from the future", age: time.Hour, annotations: since(ago(-time.Minute)), want: since(ago(-time.Minute)), again: grace + time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: "grant", Annotations: test.annotations, CreationTimestamp: metav1.NewTime(now.Add(-test.age)),
			}}
			g, _ := newGranter(t, nil, object)
			if test.grace == 0 {
				test.grace = grace
			}
			r, err := NewRepairer(RepairConfig{Granter: g, Need: func(context.Context, *corev1.Pod) (*Need, error) { return nil, nil }, Grace: test.grace})
			if err != nil {
				t.Fatal(err)
			}
			found := &rbacv1.RoleBinding{}
			if err := g.Client.Get(t.Context(), client.ObjectKeyFromObject(object), found); err != nil {
				t.Fatal(err)
			}
			found.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"))
			again, err := r.retire(t.Context(), found, test.used, func() (bool, error) { return test.kept, nil })
			if err != nil || again != test.again {
				t.Errorf("looked at again after %s, want %s; error %v", again, test.again, err)
			}
			left := &rbacv1.RoleBinding{}
			err = g.Client.Get(t.Context(), client.ObjectKeyFromObject(object), left)
			if client.IgnoreNotFound(err) != nil || apierrors.IsNotFound(err) != test.gone {
				t.Errorf("gone: %v, want %t", err, test.gone)
			}
			removed := testutil.ToFloat64(g.Metrics.removed.WithLabelValues("RoleBinding"))
			if counted := removed == 1; counted != test.gone || removed > 1 {
				t.Errorf("%g removals are counted; gone: %t", removed, test.gone)
			}
			if diff := cmp.Diff(test.want, left.Annotations, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

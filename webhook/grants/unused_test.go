package grants

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// inventory is what a Controller under test finds in its cluster.
type inventory struct {
	enrolled bool
	needs    []Need           // of the live pods
	bound    []rbacv1.RoleRef // by anyone
	listed   int              // how often the bindings of the cluster were listed
}

func newController(t *testing.T, g *Granter, found *inventory, grace time.Duration) *Controller {
	t.Helper()
	c, err := NewController(ControllerConfig{
		Granter: g, Grace: grace,
		IsEnrolled: func(context.Context, string) (bool, error) { return found.enrolled, nil },
		EachNeed: func(_ context.Context, _ string, add func(Need)) error {
			for _, need := range found.needs {
				add(need)
			}
			return nil
		},
		EachRoleRef: func(_ context.Context, do func(rbacv1.RoleRef)) error {
			found.listed++
			for _, ref := range found.bound {
				do(ref)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// An unused binding is marked, and removed after the grace period.
func TestUnusedBinding(t *testing.T) {
	const grace = time.Hour
	ago := func(d time.Duration) string { return now.Add(-d).Format(time.RFC3339) }
	since := func(text string) map[string]string { return map[string]string{UnusedSinceAnnotation: text} }
	for _, test := range []struct {
		name        string
		age         time.Duration
		annotations map[string]string
		grace       time.Duration

		gone  bool
		want  map[string]string // its annotations
		again time.Duration
	}{
		{name: "just made, before its pod is known", age: time.Second, again: 9 * time.Second},
		{
			name:  "just made, with a short grace period",
			age:   time.Second,
			grace: 3 * time.Second,
			again: 1500 * time.Millisecond,
		},
		{name: "found unused", age: settleAge, want: since(ago(0)), again: 10 * time.Minute},
		{
			name:        "with a count that cannot be read",
			age:         time.Hour,
			annotations: since("yesterday"),
			want:        since(ago(0)),
			again:       10 * time.Minute,
		},
		{
			name:        "within its grace period",
			age:         time.Hour,
			annotations: since(ago(40 * time.Minute)),
			want:        since(ago(40 * time.Minute)),
			again:       10 * time.Minute,
		},
		{
			name:        "nearly at the end of its grace period",
			age:         time.Hour,
			annotations: since(ago(grace - time.Minute)),
			want:        since(ago(grace - time.Minute)),
			again:       time.Minute,
		},
		{
			name:        "at the end of its grace period",
			age:         time.Hour,
			annotations: since(ago(grace)),
			gone:        true,
			again:       10 * time.Minute,
		},
		{
			name:        "after its grace period, young as it may be",
			age:         0,
			annotations: since(ago(2 * grace)),
			gone:        true,
			again:       10 * time.Minute,
		},
		{
			name:        "with a count from the future",
			age:         time.Hour,
			annotations: since(ago(-time.Minute)),
			want:        since(ago(-time.Minute)),
			again:       10 * time.Minute,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
				Namespace:         "shop",
				Name:              "grant",
				Annotations:       test.annotations,
				CreationTimestamp: metav1.NewTime(now.Add(-test.age)),
			}}
			g, _ := newGranter(t, nil, object)
			if test.grace == 0 {
				test.grace = grace
			}
			c := newController(t, g, &inventory{}, test.grace)
			result, err := c.Reconcile(t.Context(), requestFor("shop"))
			if err != nil || result.RequeueAfter != test.again {
				t.Errorf("the next look is after %s, want %s; error %v", result.RequeueAfter, test.again, err)
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

// A pod whose admission begins to rely on a binding keeps it, although the controller does not see the pod: whichever
// of the two comes first.
func TestAdmissionAndRemoval(t *testing.T) {
	const grace = time.Hour
	type world struct {
		*Granter
		*Controller
	}
	admit := func(t *testing.T, w world) {
		t.Helper()
		if err := w.Ensure(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		// between runs once the controller has read the marked binding, and before it removes it.
		between func(*testing.T, world)
		// after runs when it has tried to.
		after   func(*testing.T, world)
		removed float64
	}{
		{name: "the admission comes between", between: admit},
		{name: "the admission comes after", after: admit, removed: 1},
		{name: "there is no admission", removed: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := grantsOf(t, batch, 2*grace)
			binding := objects[len(objects)-1].(*rbacv1.RoleBinding)
			binding.Annotations = map[string]string{UnusedSinceAnnotation: now.Add(-grace).Format(time.RFC3339)}
			g, counted := newGranter(t, nil, objects...)
			w := world{g, newController(t, g, &inventory{enrolled: true}, grace)}
			store := g.Client
			g.Client = interceptor.NewClient(store.(client.WithWatch), interceptor.Funcs{
				Delete: func(ctx context.Context, c client.WithWatch, object client.Object,
					options ...client.DeleteOption) error {
					if test.between != nil {
						test.between(t, w)
					}
					return c.Delete(ctx, object, options...)
				},
			})
			if _, err := w.Reconcile(t.Context(), requestFor(batch.Namespace)); err != nil {
				t.Fatal(err)
			}
			if test.after != nil {
				test.after(t, w)
			}
			if got := testutil.ToFloat64(g.Metrics.removed.WithLabelValues("RoleBinding")); got != test.removed {
				t.Errorf("%g bindings are removed, want %g", got, test.removed)
			}
			if test.between == nil {
				if admitted := test.after != nil; admitted != (counted.Applies > 0) {
					t.Errorf("%d objects are applied again", counted.Applies)
				}
				return
			}
			found := &rbacv1.RoleBinding{}
			if err := store.Get(t.Context(), client.ObjectKeyFromObject(binding), found); err != nil ||
				isMarked(found) {
				t.Errorf("the binding is %v, error %v; want it without a mark", found, err)
			}
		})
	}
}

// A mark in the cache makes the server forget that the grant is settled, so that the next admission removes the mark.
func TestMarkIsForgotten(t *testing.T) {
	objects := grantsOf(t, batch, time.Hour)
	g, counted := newGranter(t, nil, objects...)
	if err := g.Ensure(t.Context(), batch); err != nil || counted.Applies > 0 {
		t.Fatalf("%d applied, error %v", counted.Applies, err)
	}
	binding := objects[len(objects)-1].(*rbacv1.RoleBinding)
	mark := client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata": {"annotations": {"`+UnusedSinceAnnotation+`": "2026-01-01T00:00:00Z"}}}`))
	before := binding.DeepCopy()
	if err := g.Client.Patch(t.Context(), binding, mark); err != nil {
		t.Fatal(err)
	}
	g.updated(before, binding)
	if err := g.Ensure(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	found := &rbacv1.RoleBinding{}
	if err := g.Client.Get(t.Context(), client.ObjectKeyFromObject(binding), found); err != nil || isMarked(found) ||
		counted.Applies != 1 {
		t.Errorf("%d applied; the binding is %v, error %v; want it without a mark", counted.Applies, found, err)
	}
}

// The controller removes the mark of what a live pod uses, and applies what is missing. Pods of a namespace that is
// not enrolled need nothing.
func TestUsedBinding(t *testing.T) {
	for _, test := range []struct {
		name     string
		enrolled bool
		applies  int
		marked   bool
	}{
		{"enrolled", true, 1, false},
		{"no longer enrolled", false, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := grantsOf(t, batch, time.Hour)
			binding := objects[len(objects)-1].(*rbacv1.RoleBinding)
			binding.Annotations = map[string]string{UnusedSinceAnnotation: now.Add(-time.Minute).Format(time.RFC3339)}
			g, counted := newGranter(t, nil, objects...)
			c := newController(t, g, &inventory{enrolled: test.enrolled, needs: []Need{batch, batch}}, time.Hour)
			result, err := c.Reconcile(t.Context(), requestFor(batch.Namespace))
			if err != nil || result != (ctrl.Result{RequeueAfter: 10 * time.Minute}) ||
				counted.Applies != test.applies {
				t.Errorf("result %v, error %v, %d applied, want %d", result, err, counted.Applies, test.applies)
			}
			found := &rbacv1.RoleBinding{}
			if err := g.Client.Get(t.Context(), client.ObjectKeyFromObject(binding), found); err != nil ||
				isMarked(found) != test.marked {
				t.Errorf("the binding is %v, error %v; want it marked: %t", found, err, test.marked)
			}
		})
	}
}

// In a namespace that is being deleted, nothing can be restored. That is no error, and no reason for a retry.
func TestNothingIsRestoredInANamespaceThatEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		causes []metav1.StatusCause
		fails  bool
	}{
		{"ends", []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}, false},
		{"forbids it", nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, _ := newGranter(t, nil)
			g.Client = interceptor.NewClient(g.Client.(client.WithWatch), interceptor.Funcs{
				Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
					err := apierrors.NewForbidden(rbacv1.Resource("rolebindings"), "grant", errors.New("no"))
					err.ErrStatus.Details.Causes = test.causes
					return err
				},
			})
			c := newController(t, g, &inventory{enrolled: true, needs: []Need{batch}}, time.Hour)
			result, err := c.Reconcile(t.Context(), requestFor(batch.Namespace))
			if (err != nil) != test.fails || result.RequeueAfter != c.period() {
				t.Errorf("result %v, error %v; want an error: %t", result, err, test.fails)
			}
		})
	}
}

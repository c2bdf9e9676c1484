package grants

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// The suite against a real API server shows what is written, and when it counts. Here is what takes a clock or a
// moment that cannot be had there.

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// calls counts what a Granter asks for beyond the objects that it finds.
type calls struct{ Reviews, Applies int }

// newGranter returns a Granter whose cache holds objects, and whose authorizer says yes. between, if set, runs while
// it does.
func newGranter(t *testing.T, between func(*Granter), objects ...client.Object) (*Granter, *calls) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), rbacv1.AddToScheme(scheme),
		authorizationv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	for _, account := range []client.ObjectKey{{Namespace: "jobs", Name: "default"}, {Namespace: "shop", Name: "web"}} {
		objects = append(objects, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace,
			Name: account.Name}})
	}
	counted := &calls{}
	var counting sync.Mutex // several objects are applied at a time
	var g *Granter
	writer := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
			counting.Lock()
			counted.Reviews++
			counting.Unlock()
			object.(*authorizationv1.SubjectAccessReview).Status.Allowed = true
			if between != nil {
				between(g)
			}
			return nil
		},
		Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
			counting.Lock()
			defer counting.Unlock()
			counted.Applies++
			return nil
		},
	}).Build()
	g, err := New(Config{Backend: ValidatingAdmissionPolicy, Client: writer, Reader: writer, Limits: DefaultLimits(),
		Metrics: NewMetrics(prometheus.NewRegistry())})
	if err != nil {
		t.Fatal(err)
	}
	g.now = func() time.Time { return now }
	return g, counted
}

// grantsOf renders what a need takes, made as long ago as said.
func grantsOf(t *testing.T, need Need, ago time.Duration) []client.Object {
	t.Helper()
	return grantsFor(t, ValidatingAdmissionPolicy, need, ago)
}

func grantsFor(t *testing.T, backend Backend, need Need, ago time.Duration) []client.Object {
	t.Helper()
	objects := render(t, backend, need)
	for _, object := range objects {
		object.SetCreationTimestamp(metav1.NewTime(now.Add(-ago)))
	}
	return objects
}

// isPolicy reports whether an object is a PodSecurityPolicy or SecurityContextConstraints, which no cache holds.
func isPolicy(object client.Object) bool { return rank(object) == 0 }

// A server relies on a grant in its cache once the grant is so old that every API server knows it. Of a newer one, it
// asks the authorizer.
func TestEnsureAsksAboutWhatIsNew(t *testing.T) {
	for _, test := range []struct {
		name    string
		backend Backend
		ago     time.Duration
		want    calls
	}{
		{"just made", ValidatingAdmissionPolicy, 0, calls{Reviews: 1}},
		{"not quite old enough", ValidatingAdmissionPolicy, settleAge - time.Second, calls{Reviews: 1}},
		{"old enough", ValidatingAdmissionPolicy, settleAge, calls{}},
		{"made by a clock that is ahead", ValidatingAdmissionPolicy, -time.Minute, calls{Reviews: 1}},
		{"just made, with constraints", SecurityContextConstraints, 0, calls{Reviews: 2}},
		{"old enough, with constraints", SecurityContextConstraints, settleAge, calls{}},
		{"just made, with a policy", PodSecurityPolicy, 0, calls{Reviews: 1}},
		{"old enough, with a policy", PodSecurityPolicy, settleAge, calls{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cached := slices.DeleteFunc(grantsFor(t, test.backend, batch, test.ago), isPolicy)
			g, counted := newGranter(t, nil, cached...)
			g.Backend = test.backend
			g.Reader = nil
			for range 2 { // the second time it is known
				if err := g.Ensure(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, *counted); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// Without the role or the binding, the constraints may be missing too. They are applied before what refers to them.
func TestEnsureAppliesPoliciesWithTheirRoles(t *testing.T) {
	for _, lacking := range []string{"ClusterRole", "RoleBinding"} {
		t.Run(lacking, func(t *testing.T) {
			var want []string
			cached := slices.DeleteFunc(grantsFor(t, SecurityContextConstraints, batch, time.Hour),
				func(object client.Object) bool {
					missing := isPolicy(object) || kindOf(object) == lacking && strings.Contains(object.GetName(), "scc")
					if missing {
						want = append(want, describe(object))
					}
					return missing
				})
			g, _ := newGranter(t, nil, cached...)
			g.Backend = SecurityContextConstraints
			var got []string
			g.Client = interceptor.NewClient(g.Client.(client.WithWatch), interceptor.Funcs{
				Apply: func(_ context.Context, _ client.WithWatch, object runtime.ApplyConfiguration,
					_ ...client.ApplyOption) error {
					got = append(got, describe(object.(client.Object)))
					return nil
				},
			})
			if err := g.Ensure(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
		})
	}
}

// A grant that goes while it is being looked at is not remembered as one that is in force.
func TestEnsureForgetsWhatGoesMeanwhile(t *testing.T) {
	for _, test := range []struct {
		name    string
		between func(*Granter)
		want    int // questions that two pods in a row lead to
	}{
		{"nothing goes", nil, 1},
		{"a binding of the namespace goes", func(g *Granter) { g.settled.forget(batch.Namespace) }, 2},
		{"a role goes", func(g *Granter) { g.settled.forget("") }, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, counted := newGranter(t, test.between, grantsOf(t, batch, 0)...)
			for range 2 {
				if err := g.Ensure(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			if counted.Reviews != test.want {
				t.Errorf("%d questions, want %d", counted.Reviews, test.want)
			}
		})
	}
}

// The wait for the authorizer ends, also if the authorizer never sees the grant.
func TestEnsureGivesUp(t *testing.T) {
	g, _ := newGranter(t, nil, grantsOf(t, batch, 0)...)
	g.Client = interceptor.NewClient(g.Client.(client.WithWatch), interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return nil },
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := access{"jobs", "default", "sysctl-injector.dev", "sysctls", "net.core.somaxconn"}.wait(ctx, g.Client)
	const want = `the grant exists, but the API server's authorizer does not know of it yet (whether service account ` +
		`"default" in namespace "jobs" may use sysctls.sysctl-injector.dev "net.core.somaxconn"): context canceled`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// What is applied is counted by its kind, once for each object.
func TestAppliedIsCounted(t *testing.T) {
	g, _ := newGranter(t, nil)
	for range 2 {
		if err := g.Ensure(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	const want = `# HELP sysctl_injector_grants_applied_total ` +
		`Objects applied, so that a service account may use a sysctl, by kind.
# TYPE sysctl_injector_grants_applied_total counter
sysctl_injector_grants_applied_total{kind="ClusterRole"} 1
sysctl_injector_grants_applied_total{kind="RoleBinding"} 1
`
	if err := testutil.CollectAndCompare(g.Metrics.applied, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// An object that is as wanted already does not count as applied.
func TestUnchangedIsNotCounted(t *testing.T) {
	for _, test := range []struct {
		version string // of the object after the call
		counted float64
	}{{"7", 0}, {"8", 1}} {
		role := grantsOf(t, batch, time.Hour)[0]
		found := role.DeepCopyObject().(client.Object)
		found.SetResourceVersion("7")
		g, _ := newGranter(t, nil, found)
		g.Client = interceptor.NewClient(g.Client.(client.WithWatch), interceptor.Funcs{
			Apply: func(_ context.Context, _ client.WithWatch, object runtime.ApplyConfiguration,
				_ ...client.ApplyOption) error {
				object.(client.Object).SetResourceVersion(test.version)
				return nil
			},
		})
		if err := g.applyOnce(t.Context(), role); err != nil {
			t.Fatal(err)
		}
		if got := testutil.ToFloat64(g.Metrics.applied.WithLabelValues("ClusterRole")); got != test.counted {
			t.Errorf("version %s after version 7: %g are counted", test.version, got)
		}
	}
}

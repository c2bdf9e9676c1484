package grants

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Limits limit the grants for the pods of one namespace. Each server counts for itself.
type Limits struct {
	// Names is the number of different sysctls that may be granted in a namespace, to all its service accounts
	// together.
	Names int
	// PerMinute is the number of new grants in a namespace in a minute.
	PerMinute int
}

// DefaultLimits are far above what a namespace of ordinary workloads needs.
func DefaultLimits() Limits { return Limits{Names: 64, PerMinute: 120} }

// MinPerMinute is the number of grants that one pod may need: one for each sysctl, and one for the
// SecurityContextConstraints. With a lower limit, such a pod could never be admitted.
const MinPerMinute = sysctl.MaxContained + 1

func (l Limits) validate() error {
	switch {
	case l.Names < 1:
		return errors.New("grants: Limits: Names must be above zero")
	case l.PerMinute < MinPerMinute:
		return fmt.Errorf("grants: Limits: PerMinute: %d is below %d, the number of grants that one pod may need",
			l.PerMinute, MinPerMinute)
	}
	return nil
}

// callsPerSecond and callBurst limit the API calls for new grants, in all namespaces together.
const (
	callsPerSecond = 100
	callBurst      = 400
)

// Reasons of a RejectedError.
const (
	ReasonTooManySysctls   = "TooManySysctls"
	ReasonTooManyGrants    = "TooManyGrants"
	ReasonNoServiceAccount = "NoServiceAccount"
)

// RejectedError says why a need is not granted, and what to do about it.
type RejectedError struct{ Reason, Message string }

func (e *RejectedError) Error() string { return e.Message }

// mayGrant returns an error if missing may not be applied now. The cheapest checks come first, so that a flood of
// pods or forged reviews causes few API calls.
func (g *Granter) mayGrant(ctx context.Context, need Need, objects, missing []client.Object) error {
	bindings, wanted := 0, sets.New[string]()
	for _, object := range missing {
		if binding, ok := object.(*rbacv1.RoleBinding); ok {
			bindings++
			wanted.Insert(binding.RoleRef.Name)
		}
	}
	bound, err := g.boundRoles(ctx, need.Namespace)
	if err != nil {
		return err
	}
	if err := g.usage.begin(g.now(), need.Namespace, bound, wanted, bindings); err != nil {
		return err
	}
	if len(missing) > 0 {
		if err := g.usage.waitForCalls(ctx, 1); err != nil {
			return err
		}
		if err := g.requireServiceAccount(ctx, need); err != nil {
			return err
		}
	}
	// A read and a write for each missing object, and a SubjectAccessReview for each role.
	if err := g.usage.waitForCalls(ctx, 2*len(missing)+len(objects)); err != nil {
		return err
	}
	return g.usage.add(g.now(), need.Namespace, bound, wanted, bindings)
}

// boundRoles returns the names of the roles that our bindings in a namespace refer to, from the cache.
func (g *Granter) boundRoles(ctx context.Context, namespace string) (sets.Set[string], error) {
	bindings := &rbacv1.RoleBindingList{}
	if err := g.Client.List(ctx, bindings, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list the role bindings of namespace %q: %w", namespace, err)
	}
	roles := sets.New[string]()
	for i := range bindings.Items {
		roles.Insert(bindings.Items[i].RoleRef.Name)
	}
	return roles, nil
}

// requireServiceAccount returns an error if the service account does not exist. The API server admits no such pod, so
// only a forged review can name one.
func (g *Granter) requireServiceAccount(ctx context.Context, need Need) error {
	account := &metav1.PartialObjectMetadata{}
	account.SetGroupVersionKind(serviceAccountKind)
	switch err := g.Reader.Get(ctx, client.ObjectKey{Namespace: need.Namespace, Name: need.ServiceAccount}, account); {
	case apierrors.IsNotFound(err):
		return &RejectedError{ReasonNoServiceAccount,
			fmt.Sprintf("namespace %q has no service account %q, so nothing is granted to it; "+
				"create the service account first", need.Namespace, need.ServiceAccount)}
	case err != nil:
		return fmt.Errorf("read service account %q in namespace %q: %w", need.ServiceAccount, need.Namespace, err)
	}
	return nil
}

// usage counts the recent grants of each namespace.
type usage struct {
	limits Limits
	calls  *rate.Limiter

	mu          sync.Mutex
	ofNamespace map[string]*namespaceUsage
	swept       time.Time
}

type namespaceUsage struct {
	grants *rate.Limiter
	// names holds the roles of recent grants, which the cache may not show yet, and until when they count.
	names map[string]time.Time
}

func newUsage(limits Limits) *usage {
	return &usage{limits: limits, calls: rate.NewLimiter(callsPerSecond, callBurst),
		ofNamespace: map[string]*namespaceUsage{}}
}

// begin returns an error if n new grants of the wanted roles in a namespace would exceed the limits. bound are the
// roles that the cache shows as bound there. It counts only one grant, for the calls of a pod whose service account
// does not exist or that waits for recent grants; add counts the others.
func (u *usage) begin(now time.Time, namespace string, bound, wanted sets.Set[string], n int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	of := u.of(now, namespace)
	if _, err := u.added(of, now, namespace, bound, wanted); err != nil {
		return err
	}
	if of.grants.TokensAt(now) < float64(n) || !of.grants.AllowN(now, 1) {
		return u.tooManyGrants(namespace)
	}
	return nil
}

// add counts the n grants of which begin has counted one.
func (u *usage) add(now time.Time, namespace string, bound, wanted sets.Set[string], n int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	of := u.of(now, namespace)
	added, err := u.added(of, now, namespace, bound, wanted)
	if err != nil {
		return err
	}
	if !of.grants.AllowN(now, max(n-1, 0)) {
		return u.tooManyGrants(namespace)
	}
	for name := range added {
		of.names[name] = now.Add(settleAge)
	}
	return nil
}

// added returns the wanted roles that are not in use in a namespace, or an error if there are too many.
func (u *usage) added(
	of *namespaceUsage, now time.Time, namespace string, bound, wanted sets.Set[string],
) (sets.Set[string], error) {
	inUse := of.inUse(now, bound)
	added := wanted.Difference(inUse)
	if len(added) > 0 && len(inUse)+len(added) > u.limits.Names {
		return nil, &RejectedError{ReasonTooManySysctls,
			fmt.Sprintf("namespace %q has grants for %d different sysctls, and the pod needs %d more, but the "+
				"limit is %d; delete pods that set others (their grants are removed after a grace period), or ask an "+
				"administrator to raise --grants-max-sysctls",
				namespace, len(inUse), len(added), u.limits.Names)}
	}
	return added, nil
}

func (u *usage) tooManyGrants(namespace string) error {
	return &RejectedError{ReasonTooManyGrants,
		fmt.Sprintf("namespace %q has reached the limit of %d new grants per minute; "+
			"try again in a minute, or ask an administrator to raise --grants-max-per-minute", namespace,
			u.limits.PerMinute)}
}

// waitForCalls waits until n more API calls may be made.
func (u *usage) waitForCalls(ctx context.Context, n int) error {
	if u.calls.WaitN(ctx, min(n, callBurst)) == nil {
		return nil
	}
	return &RejectedError{ReasonTooManyGrants,
		"too many pods of all namespaces need new grants at this moment; try again"}
}

// of returns a namespace's usage. Once a minute, it drops outdated entries.
func (u *usage) of(now time.Time, namespace string) *namespaceUsage {
	if now.Sub(u.swept) > time.Minute {
		u.swept = now
		for name, of := range u.ofNamespace {
			of.expire(now)
			if len(of.names) == 0 && of.grants.TokensAt(now) >= float64(u.limits.PerMinute) {
				delete(u.ofNamespace, name)
			}
		}
	}
	if u.ofNamespace[namespace] == nil {
		u.ofNamespace[namespace] = &namespaceUsage{
			grants: rate.NewLimiter(rate.Limit(float64(u.limits.PerMinute)/60), u.limits.PerMinute),
			names:  map[string]time.Time{},
		}
	}
	return u.ofNamespace[namespace]
}

func (of *namespaceUsage) expire(now time.Time) {
	maps.DeleteFunc(of.names, func(_ string, until time.Time) bool { return now.After(until) })
}

// inUse returns the roles that the cache shows as bound, and those of recent grants.
func (of *namespaceUsage) inUse(now time.Time, bound sets.Set[string]) sets.Set[string] {
	of.expire(now)
	return bound.Union(sets.KeySet(of.names))
}

var serviceAccountKind = corev1.SchemeGroupVersion.WithKind("ServiceAccount")

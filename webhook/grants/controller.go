package grants

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// byRole is the index of bindings by their role.
const byRole = "roleRef.name"

// ControllerConfig configures a Controller. Every field is required.
type ControllerConfig struct {
	Granter *Granter
	// IsEnrolled reports whether a namespace is enrolled. The pods of other namespaces need nothing.
	IsEnrolled func(ctx context.Context, namespace string) (bool, error)
	// EachNeed calls add with the need of each live pod of a namespace, under the current policies.
	EachNeed func(ctx context.Context, namespace string, add func(Need)) error
	// EachRoleRef calls do with the role of each RoleBinding and ClusterRoleBinding of the cluster, with our label or
	// without.
	EachRoleRef func(ctx context.Context, do func(rbacv1.RoleRef)) error
	// Grace is how long an unused grant is kept.
	Grace time.Duration
}

// Controller reconciles the grants with the needs of the live pods. It restores grants that were changed or deleted,
// and removes grants that no pod has used for the grace period. It touches no object without our label.
//
// It caches no pods. A new pod is no reason to act, because its admission applies its grants. A deleted pod is not
// urgent, because an unused grant is kept for the grace period. It lists a namespace's pods when its bindings change,
// and once in each period.
type Controller struct {
	ControllerConfig
	// bound holds the unused roles that bindings without our label refer to, and when to look at each again. Only
	// reconcileRoles uses it, which never runs twice at a time.
	bound map[string]time.Time
}

// NewController returns a Controller, or an error that names the missing field.
func NewController(config ControllerConfig) (*Controller, error) {
	switch {
	case config.Granter == nil:
		return nil, errors.New("grants: Granter is required")
	case config.IsEnrolled == nil:
		return nil, errors.New("grants: IsEnrolled is required")
	case config.EachNeed == nil:
		return nil, errors.New("grants: EachNeed is required")
	case config.EachRoleRef == nil:
		return nil, errors.New("grants: EachRoleRef is required")
	case config.Grace <= 0:
		return nil, errors.New("grants: Grace must be above zero")
	}
	return &Controller{ControllerConfig: config, bound: map[string]time.Time{}}, nil
}

// SetupWithManager adds the controller to the manager, which runs it on the leader. A request with a namespace is for
// that namespace; the request without one is for all ClusterRoles.
func (c *Controller) SetupWithManager(ctx context.Context, manager ctrl.Manager) error {
	err := manager.GetFieldIndexer().IndexField(ctx, &rbacv1.RoleBinding{}, byRole,
		func(object client.Object) []string {
			return []string{object.(*rbacv1.RoleBinding).RoleRef.Name}
		})
	if err != nil {
		return fmt.Errorf("index role bindings: %w", err)
	}
	return ctrl.NewControllerManagedBy(manager).Named("grants").
		Watches(&corev1.Namespace{},
			enqueue(func(_ context.Context, namespace client.Object, _ bool) []reconcile.Request {
				return []reconcile.Request{requestFor(namespace.GetName())}
			}), builder.OnlyMetadata).
		Watches(&rbacv1.RoleBinding{},
			enqueue(func(_ context.Context, binding client.Object, _ bool) []reconcile.Request {
				return []reconcile.Request{requestFor(binding.GetNamespace()), allRoles}
			})).
		Watches(&rbacv1.ClusterRole{}, enqueue(c.requestsForRole)).
		Complete(c)
}

// Reconcile implements reconcile.Reconciler.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (ctrl.Result, error) {
	if request == allRoles {
		return c.reconcileRoles(ctx)
	}
	return c.reconcileNamespace(ctx, request.Namespace)
}

// reconcileNamespace restores the grants that the namespace's live pods need, within the limit on names. It retires the
// namespace's other bindings.
func (c *Controller) reconcileNamespace(ctx context.Context, namespace string) (ctrl.Result, error) {
	enrolled, err := c.IsEnrolled(ctx, namespace)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("read namespace %q: %w", namespace, err)
	}
	var wanted []client.Object
	if enrolled {
		// Without all needs, no grant is known to be unused.
		if wanted, err = c.wanted(ctx, namespace); err != nil {
			return ctrl.Result{}, err
		}
	}
	used := map[string]bool{}
	for _, object := range wanted {
		used[key(object)] = true
	}
	if wanted, err = c.withinLimit(ctx, namespace, wanted); err != nil {
		return ctrl.Result{}, err
	}
	var errs []error // after a failure, go on with the other objects
	for _, object := range wanted {
		cached, err := c.Granter.cached(ctx, object)
		if err == nil && cached == nil {
			err = c.Granter.applyOnce(ctx, object)
		}
		if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			err = nil // before Kubernetes 1.33, bindings can be deleted before the pods that need them
		}
		errs = append(errs, err)
	}
	bindings := &rbacv1.RoleBindingList{}
	if err := c.Granter.Client.List(ctx, bindings, client.InNamespace(namespace)); err != nil {
		return ctrl.Result{}, errors.Join(append(errs, fmt.Errorf("list role bindings: %w", err))...)
	}
	var again time.Duration
	if enrolled || len(bindings.Items) > 0 {
		again = c.period()
	}
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		binding.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"))
		if used[key(binding)] {
			continue
		}
		left, err := c.markUnused(ctx, binding)
		if err == nil && left <= 0 {
			err = c.removeUnused(ctx, binding)
		}
		errs = append(errs, err)
		again = sooner(again, left)
	}
	return ctrl.Result{RequeueAfter: again}, errors.Join(errs...)
}

// wanted renders the grants that the live pods of a namespace need. It keeps each need once, so memory depends on the
// number of different needs and not on the number of pods.
func (c *Controller) wanted(ctx context.Context, namespace string) ([]client.Object, error) {
	seen := map[needHash]bool{}
	var needs []Need
	err := c.EachNeed(ctx, namespace, func(need Need) {
		if hash := hashOf(need); !seen[hash] {
			seen[hash] = true
			needs = append(needs, clone(need))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list what the pods of namespace %q need: %w", namespace, err)
	}
	return Render(c.Granter.Backend, needs)
}

// period is how often a namespace's pods are listed if nothing changes. An unused grant is marked within that time.
func (c *Controller) period() time.Duration {
	const shortest, longest = time.Second, 10 * time.Minute
	return min(max(c.Grace/2, shortest), longest)
}

// reconcileRoles removes the ClusterRoles that no binding refers to. Bindings without our label count too. They are
// listed at most once, whatever the number of roles, and for the same role only once in each grace period.
func (c *Controller) reconcileRoles(ctx context.Context) (ctrl.Result, error) {
	roles, bindings := &rbacv1.ClusterRoleList{}, &rbacv1.RoleBindingList{}
	if err := c.Granter.Client.List(ctx, roles); err != nil {
		return ctrl.Result{}, fmt.Errorf("list cluster roles: %w", err)
	}
	if err := c.Granter.Client.List(ctx, bindings); err != nil {
		return ctrl.Result{}, fmt.Errorf("list role bindings: %w", err)
	}
	used := map[string]bool{}
	for i := range bindings.Items {
		used[bindings.Items[i].RoleRef.Name] = true
	}
	now := c.Granter.now()
	maps.DeleteFunc(c.bound, func(_ string, until time.Time) bool { return !now.Before(until) })
	var again time.Duration
	var errs []error
	unused := map[string]*rbacv1.ClusterRole{} // for the whole grace period
	for i := range roles.Items {
		role := &roles.Items[i]
		role.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"))
		if used[role.Name] {
			if isMarked(role) {
				errs = append(errs, c.Granter.unmark(ctx, role))
			}
			continue
		}
		left, err := c.markUnused(ctx, role)
		if until, known := c.bound[role.Name]; known {
			left = max(left, until.Sub(now))
		}
		if err == nil && left <= 0 {
			unused[role.Name] = role
		}
		errs = append(errs, err)
		again = sooner(again, left)
	}
	if len(unused) > 0 {
		errs = append(errs, c.removeUnbound(ctx, unused))
		again = sooner(again, c.Grace) // for roles that bindings without our label use
	}
	return ctrl.Result{RequeueAfter: again}, errors.Join(errs...)
}

// removeUnbound removes the roles that no binding in the cluster refers to, and remembers the others.
func (c *Controller) removeUnbound(ctx context.Context, roles map[string]*rbacv1.ClusterRole) error {
	until := c.Granter.now().Add(c.Grace)
	err := c.EachRoleRef(ctx, func(ref rbacv1.RoleRef) {
		if ref.Kind == "ClusterRole" && roles[ref.Name] != nil {
			delete(roles, ref.Name)
			c.bound[ref.Name] = until
		}
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, role := range roles {
		errs = append(errs, c.removeUnused(ctx, role))
	}
	return errors.Join(errs...)
}

// requestsForRole returns the request for all roles and, if this role was changed or deleted, for the namespaces that
// use it.
func (c *Controller) requestsForRole(ctx context.Context, role client.Object, created bool) []reconcile.Request {
	requests := []reconcile.Request{allRoles}
	if created {
		return requests
	}
	bindings := &rbacv1.RoleBindingList{}
	if err := c.Granter.Client.List(ctx, bindings, client.MatchingFields{byRole: role.GetName()}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Cannot list the bindings of a role", "role", role.GetName())
	}
	for i := range bindings.Items {
		requests = append(requests, requestFor(bindings.Items[i].Namespace))
	}
	return requests
}

// eventDelay collects the events of a rollout. By then, the pod of a new binding usually exists.
const eventDelay = time.Second

// enqueue enqueues the requests for an object a while after it was created, changed or deleted.
func enqueue(requests func(ctx context.Context, object client.Object,
	created bool) []reconcile.Request) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(ctx context.Context, object client.Object, created bool, q queue) {
		for _, request := range requests(ctx, object, created) {
			q.AddAfter(request, eventDelay)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { add(ctx, e.Object, true, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			if !same(e.ObjectOld, e.ObjectNew) || isMarked(e.ObjectOld) && !isMarked(e.ObjectNew) {
				add(ctx, e.ObjectNew, false, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { add(ctx, e.Object, false, q) },
	}
}

// allRoles is the request for all ClusterRoles.
var allRoles = reconcile.Request{}

func requestFor(namespace string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace}}
}

// sooner returns the shorter of two durations. A duration of zero or less does not count.
func sooner(a, b time.Duration) time.Duration {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

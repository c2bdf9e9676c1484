package grants

import (
	"context"
	"errors"
	"fmt"
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
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// UnusedSinceAnnotation says since when nothing has used a grant (RFC 3339). It is kept in the object, so that the count of the
// grace period outlives the server.
const UnusedSinceAnnotation = v1alpha1.GroupName + "/unused-since"

// byRole is the index of bindings by the role that they refer to.
const byRole = "roleRef.name"

// RepairConfig is what a Repairer works with. Every field is required.
type RepairConfig struct {
	Granter *Granter
	// Need returns what a live pod needs by the policies now in force; nil where it needs nothing, or may no longer have it.
	Need func(context.Context, *corev1.Pod) (*Need, error)
	// Grace is how long a grant that no live pod uses is kept.
	Grace time.Duration
}

// Repairer keeps the grants as the live pods need them: it restores what was changed or deleted, and removes what nothing has
// used for a while. It touches no object without our label.
type Repairer struct{ RepairConfig }

// NewRepairer returns a Repairer, or says which field of config is missing.
func NewRepairer(config RepairConfig) (*Repairer, error) {
	if config.Granter == nil || config.Need == nil || config.Grace <= 0 {
		return nil, errors.New("grants: Granter, Need and a Grace above zero are required")
	}
	return &Repairer{config}, nil
}

// SetupWithManager has the manager run the repairs, on the leader. A request names a namespace, or else a ClusterRole.
func (r *Repairer) SetupWithManager(ctx context.Context, manager ctrl.Manager) error {
	err := manager.GetFieldIndexer().IndexField(ctx, &rbacv1.RoleBinding{}, byRole, func(object client.Object) []string {
		return []string{object.(*rbacv1.RoleBinding).RoleRef.Name}
	})
	if err != nil {
		return fmt.Errorf("index role bindings: %w", err)
	}
	// A pod's need never changes while it lives.
	comesOrGoes := builder.WithPredicates(predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return isLive(e.ObjectOld.(*corev1.Pod)) != isLive(e.ObjectNew.(*corev1.Pod))
	}})
	return ctrl.NewControllerManagedBy(manager).Named("grants").
		Watches(&corev1.Pod{}, afterPods(), comesOrGoes).
		Watches(&rbacv1.RoleBinding{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
			return append(namespaceOf(ctx, object), requestForRole(object.(*rbacv1.RoleBinding).RoleRef.Name))
		})).
		Watches(&rbacv1.ClusterRole{}, handler.EnqueueRequestsFromMapFunc(r.roleAndItsNamespaces)).
		Complete(r)
}

// Reconcile implements reconcile.Reconciler.
func (r *Repairer) Reconcile(ctx context.Context, request reconcile.Request) (ctrl.Result, error) {
	if request.Namespace == "" {
		return r.reconcileRole(ctx, request.Name)
	}
	return r.reconcileNamespace(ctx, request.Namespace)
}

// reconcileNamespace restores the grants that the namespace's live pods need, and retires its other bindings.
func (r *Repairer) reconcileNamespace(ctx context.Context, namespace string) (ctrl.Result, error) {
	wanted, err := r.wanted(ctx, namespace)
	if err != nil {
		return ctrl.Result{}, err
	}
	used := map[string]bool{}
	var errs []error // one object that cannot be had keeps no other from repair
	for _, object := range wanted {
		used[key(object)] = true
		cached, err := r.Granter.cached(ctx, object)
		if err == nil && cached == nil {
			err = r.Granter.applyOnce(ctx, object)
		}
		errs = append(errs, err)
	}
	bindings := &rbacv1.RoleBindingList{}
	if err := r.Granter.Client.List(ctx, bindings, client.InNamespace(namespace)); err != nil {
		return ctrl.Result{}, fmt.Errorf("list role bindings: %w", err)
	}
	var again time.Duration
	for i := range bindings.Items {
		binding := &bindings.Items[i]
		binding.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"))
		left, err := r.retire(ctx, binding, used[key(binding)], nil)
		errs = append(errs, err)
		again = sooner(again, left)
	}
	return ctrl.Result{RequeueAfter: again}, errors.Join(errs...)
}

// wanted renders what the live pods of a namespace need.
func (r *Repairer) wanted(ctx context.Context, namespace string) ([]client.Object, error) {
	pods := &corev1.PodList{}
	if err := r.Granter.Client.List(ctx, pods, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	var needs []Need
	for i := range pods.Items {
		if !isLive(&pods.Items[i]) {
			continue
		}
		need, err := r.Need(ctx, &pods.Items[i])
		if err != nil {
			// Without knowing all needs, none of the grants can be said to be unused.
			return nil, fmt.Errorf("decide what pod %q needs: %w", pods.Items[i].Name, err)
		}
		if need != nil {
			needs = append(needs, *need)
		}
	}
	return Render(r.Granter.Backend, needs)
}

// reconcileRole retires a ClusterRole that no binding refers to, be it one of ours or an administrator's.
func (r *Repairer) reconcileRole(ctx context.Context, name string) (ctrl.Result, error) {
	role := &rbacv1.ClusterRole{}
	if err := r.Granter.Client.Get(ctx, client.ObjectKey{Name: name}, role); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	role = role.DeepCopy()
	role.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind("ClusterRole"))
	ours := &rbacv1.RoleBindingList{}
	if err := r.Granter.Client.List(ctx, ours, client.MatchingFields{byRole: name}, client.Limit(1)); err != nil {
		return ctrl.Result{}, fmt.Errorf("list role bindings: %w", err)
	}
	left, err := r.retire(ctx, role, len(ours.Items) > 0, func() (bool, error) { return r.isBoundByOthers(ctx, name) })
	return ctrl.Result{RequeueAfter: left}, err
}

// isBoundByOthers asks the API server, since the cache holds no binding but ours.
func (r *Repairer) isBoundByOthers(ctx context.Context, role string) (bool, error) {
	refers := func(ref rbacv1.RoleRef) bool { return ref.Kind == "ClusterRole" && ref.Name == role }
	bindings := &rbacv1.RoleBindingList{}
	if err := r.Granter.Reader.List(ctx, bindings); err != nil {
		return false, fmt.Errorf("list role bindings: %w", err)
	}
	for _, binding := range bindings.Items {
		if refers(binding.RoleRef) {
			return true, nil
		}
	}
	everywhere := &rbacv1.ClusterRoleBindingList{}
	if err := r.Granter.Reader.List(ctx, everywhere); err != nil {
		return false, fmt.Errorf("list cluster role bindings: %w", err)
	}
	for _, binding := range everywhere.Items {
		if refers(binding.RoleRef) {
			return true, nil
		}
	}
	return false, nil
}

// retire keeps count of how long an object has not been used, and deletes it after the grace period, unless keep says no. It
// returns how much of the period is left; 0 where nothing is to come.
func (r *Repairer) retire(ctx context.Context, object client.Object, used bool, keep func() (bool, error)) (time.Duration, error) {
	since, counted := object.GetAnnotations()[UnusedSinceAnnotation]
	if used {
		if counted {
			return 0, r.annotate(ctx, object, nil)
		}
		return 0, nil
	}
	start, err := time.Parse(time.RFC3339, since)
	if err != nil {
		// A grant is made before what uses it, which comes within this time, if it comes.
		if left := min(settleAge, r.Grace) - r.Granter.now().Sub(object.GetCreationTimestamp().Time); left > 0 {
			return left, nil
		}
		now := r.Granter.now().UTC().Format(time.RFC3339)
		return r.Grace, r.annotate(ctx, object, &now)
	}
	if left := r.Grace - r.Granter.now().Sub(start); left > 0 {
		return left, nil
	}
	if keep != nil {
		if kept, err := keep(); kept || err != nil {
			return r.Grace, err
		}
	}
	// Only as it was seen: whoever has begun to use it since has changed it.
	err = r.Granter.remove(ctx, object, client.Preconditions{UID: new(object.GetUID()), ResourceVersion: new(object.GetResourceVersion())})
	if ignoreChanged(err) != nil {
		return 0, fmt.Errorf("delete the unused %s: %w", describe(object), err)
	}
	return 0, nil
}

// ignoreChanged passes over that an object is gone, or another than the cache holds: the cache is about to hear of that.
func ignoreChanged(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

// annotate sets or, with nil, removes the count.
func (r *Repairer) annotate(ctx context.Context, object client.Object, since *string) error {
	changed := object.DeepCopyObject().(client.Object)
	annotations := changed.GetAnnotations()
	if since == nil {
		delete(annotations, UnusedSinceAnnotation)
	} else {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[UnusedSinceAnnotation] = *since
	}
	changed.SetAnnotations(annotations)
	// Only as it was seen: a count that has begun does not begin again.
	patch := client.MergeFromWithOptions(object, client.MergeFromWithOptimisticLock{})
	if err := r.Granter.Client.Patch(ctx, changed, patch, fieldOwner); ignoreChanged(err) != nil {
		return fmt.Errorf("annotate %s: %w", describe(object), err)
	}
	return nil
}

// roleAndItsNamespaces are what a change of a ClusterRole concerns: itself, and the namespaces that use it.
func (r *Repairer) roleAndItsNamespaces(ctx context.Context, role client.Object) []reconcile.Request {
	requests := []reconcile.Request{requestForRole(role.GetName())}
	bindings := &rbacv1.RoleBindingList{}
	if err := r.Granter.Client.List(ctx, bindings, client.MatchingFields{byRole: role.GetName()}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Cannot list the bindings of a role", "role", role.GetName())
	}
	for i := range bindings.Items {
		requests = append(requests, namespaceOf(ctx, &bindings.Items[i])...)
	}
	return requests
}

// podDelay gathers the comings and goings of pods. What one of them needs is granted before it comes, and what it leaves is kept
// for the grace period: nothing is urgent.
const podDelay = time.Second

// afterPods enqueues a pod's namespace a while after the event.
func afterPods() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	enqueue := func(ctx context.Context, pod client.Object, q queue) {
		for _, request := range namespaceOf(ctx, pod) {
			q.AddAfter(request, podDelay)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { enqueue(ctx, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { enqueue(ctx, e.ObjectNew, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { enqueue(ctx, e.Object, q) },
	}
}

func namespaceOf(_ context.Context, object client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace()}}}
}

func requestForRole(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}

func isLive(pod *corev1.Pod) bool {
	return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// sooner returns the shorter of two durations, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

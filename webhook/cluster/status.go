package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// addStatusControllers makes the leader write into each policy's and profile's status whether it is in force.
func addStatusControllers(manager ctrl.Manager) error {
	return errors.Join(
		addStatusController(manager, "policies", &v1alpha1.SysctlPolicy{},
			func(p *v1alpha1.SysctlPolicy) (*v1alpha1.Status, field.ErrorList) {
				_, errs := policy.CompilePolicy(p)
				p.Status.Names = namesOf(p)
				return &p.Status.Status, errs
			}),
		addStatusController(manager, "profiles", &v1alpha1.SysctlProfile{},
			func(p *v1alpha1.SysctlProfile) (*v1alpha1.Status, field.ErrorList) {
				_, errs := policy.CompileProfile(p)
				return &p.Status, errs
			}),
	)
}

// namesOf lists the names of all rules, sorted and without duplicates.
func namesOf(p *v1alpha1.SysctlPolicy) string {
	var names []string
	for _, rule := range p.Spec.Allow {
		for _, name := range rule.Names {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ",")
}

// addStatusController adds the controller of one kind. The function check returns an object's status and the problem
// with the object, and fills in the rest of the status.
func addStatusController[T client.Object](manager ctrl.Manager, name string, kind T,
	check func(T) (*v1alpha1.Status, field.ErrorList)) error {
	writer := manager.GetClient()
	reconciler := reconcile.AsReconciler(writer, objectReconciler[T](func(ctx context.Context, cached T) error {
		object := cached.DeepCopyObject().(T)
		status, errs := check(object)
		meta.SetStatusCondition(&status.Conditions, readyCondition(object.GetGeneration(), errs))
		if equality.Semantic.DeepEqual(object, cached) {
			return nil
		}
		return client.IgnoreNotFound(writer.Status().Update(ctx, object))
	}))
	if err := ctrl.NewControllerManagedBy(manager).Named(name).For(kind).Complete(reconciler); err != nil {
		return fmt.Errorf("set up the controller of %s: %w", name, err)
	}
	return nil
}

// objectReconciler reconciles an object with a function.
type objectReconciler[T client.Object] func(context.Context, T) error

// Reconcile implements reconcile.ObjectReconciler.
func (f objectReconciler[T]) Reconcile(ctx context.Context, object T) (ctrl.Result, error) {
	return ctrl.Result{}, f(ctx, object)
}

// maxMessage limits a condition's message. The API allows 32,768 characters.
const maxMessage = 4096

func readyCondition(generation int64, errs field.ErrorList) metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRead, Message: "in force",
		ObservedGeneration: generation,
	}
	if len(errs) > 0 {
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonInvalid
		condition.Message = truncate(errs.ToAggregate().Error(), maxMessage)
	}
	return condition
}

// truncate shortens a message to at most limit bytes of valid UTF-8. The API server replaces invalid bytes. The
// stored message would then differ from the computed one, and each event would write it again.
func truncate(message string, limit int) string {
	return strings.ToValidUTF8(message[:min(len(message), limit)], "")
}

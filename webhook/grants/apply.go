package grants

import (
	"context"
	"fmt"
	"maps"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// fieldOwner owns the fields of all applied objects.
const fieldOwner = client.FieldOwner(v1alpha1.ManagedBy)

// cached returns the object in the cache. It returns nil if the cache has no such object or does not hold the kind,
// if the cached object grants something else, or if it is marked as unused.
func (g *Granter) cached(ctx context.Context, wanted client.Object) (client.Object, error) {
	var found client.Object
	switch wanted.(type) {
	case *rbacv1.ClusterRole:
		found = &rbacv1.ClusterRole{}
	case *rbacv1.RoleBinding:
		found = &rbacv1.RoleBinding{}
	default:
		return nil, nil
	}
	switch err := g.Client.Get(ctx, client.ObjectKeyFromObject(wanted), found); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s from the cache: %w", describe(wanted), err)
	case !same(found, wanted), isMarked(found):
		return nil, nil
	}
	return found, nil
}

// same reports whether two objects grant the same, and whether two states of a namespace have the same labels, which
// decide on its grants. It ignores all other fields.
func same(a, b client.Object) bool {
	switch a := a.(type) {
	case *rbacv1.ClusterRole:
		return equality.Semantic.DeepEqual(a.Rules, b.(*rbacv1.ClusterRole).Rules) && a.AggregationRule == nil
	case *rbacv1.RoleBinding:
		return equality.Semantic.DeepEqual(a.Subjects, b.(*rbacv1.RoleBinding).Subjects) &&
			a.RoleRef == b.(*rbacv1.RoleBinding).RoleRef
	case *metav1.PartialObjectMetadata:
		return maps.Equal(a.Labels, b.(*metav1.PartialObjectMetadata).Labels)
	}
	return false
}

// applyAll applies objects rank by rank: an object refers only to objects of lower ranks.
// Of several errors it returns the one of the first object, so the message does not depend on timing.
func (g *Granter) applyAll(ctx context.Context, objects []client.Object) error {
	for len(objects) > 0 {
		n := 1
		for n < len(objects) && rank(objects[n]) == rank(objects[0]) {
			n++
		}
		errs := make([]error, n)
		var group sync.WaitGroup
		for i, object := range objects[:n] {
			group.Go(func() { errs[i] = g.applyOnce(ctx, object) })
		}
		group.Wait()
		if err := firstOf(errs); err != nil {
			return err
		}
		objects = objects[n:]
	}
	return nil
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// applyOnce applies an object once for all concurrent callers. The call has its own timeout and goes on if the caller
// that started it fails. Each caller waits only as long as its own context allows.
func (g *Granter) applyOnce(ctx context.Context, object client.Object) error {
	done := g.objects.DoChan(key(object), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		return nil, recovered(func() error { return g.apply(ctx, object) })()
	})
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return fmt.Errorf("apply %s: %w", describe(object), ctx.Err())
	}
}

// apply writes an object by server-side apply. An object of the same name without our label is not ours: it stays,
// and is an error.
func (g *Granter) apply(ctx context.Context, object client.Object) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return fmt.Errorf("encode %s: %w", describe(object), err)
	}
	wanted := &unstructured.Unstructured{Object: content}
	found := &unstructured.Unstructured{}
	found.SetGroupVersionKind(wanted.GroupVersionKind())
	err = g.Reader.Get(ctx, client.ObjectKeyFromObject(wanted), found)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("read %s: %w", describe(object), err)
	case found.GetLabels()[v1alpha1.ManagedByLabel] != v1alpha1.ManagedBy:
		return fmt.Errorf("%s exists without the label %s=%s, so it is not changed; delete it, or add the label",
			describe(object), v1alpha1.ManagedByLabel, v1alpha1.ManagedBy)
	case !equality.Semantic.DeepEqual(found.Object["roleRef"], wanted.Object["roleRef"]):
		// roleRef is immutable, so the binding has to be replaced.
		err = g.replace(ctx, found, "refers to another role")
	case found.Object["aggregationRule"] != nil:
		// Server-side apply would not remove an aggregationRule, by which a controller would overwrite the rules
		// again and again.
		err = g.replace(ctx, found, "aggregates other roles")
	case isMarked(found):
		err = g.unmark(ctx, found)
	}
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	unstructured.RemoveNestedField(wanted.Object, "metadata", "creationTimestamp")
	before := found.GetResourceVersion()
	if err := g.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), fieldOwner,
		client.ForceOwnership); err != nil {
		return fmt.Errorf("apply %s: %w", describe(object), err)
	}
	// The answer is now in wanted. No cache holds policies, so most of them are applied without a change.
	if before != "" && wanted.GetResourceVersion() == before {
		return nil
	}
	g.Metrics.applied.WithLabelValues(kindOf(object)).Inc()
	return nil
}

// replace deletes an object that cannot be changed into the wanted one.
func (g *Granter) replace(ctx context.Context, found client.Object, why string) error {
	if err := g.remove(ctx, found, client.Preconditions{UID: new(found.GetUID())}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s, which %s: %w", describe(found), why, err)
	}
	return nil
}

func (g *Granter) remove(ctx context.Context, object client.Object, conditions client.Preconditions) error {
	err := g.Client.Delete(ctx, object, conditions)
	if err == nil {
		g.Metrics.removed.WithLabelValues(kindOf(object)).Inc()
	}
	return err
}

func describe(object client.Object) string {
	name := object.GetName()
	if object.GetNamespace() != "" {
		name = object.GetNamespace() + "/" + name
	}
	return fmt.Sprintf("%s %q", kindOf(object), name)
}

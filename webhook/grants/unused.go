package grants

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// UnusedSinceAnnotation marks a grant as unused since a time (RFC 3339). The object carries it, so that the grace
// period continues when another server becomes the leader.
//
// The mark also protects a pod whose admission relies on the grant while the controller does not see the pod yet. An
// admission treats a marked grant as missing: it removes the mark (unmark), which changes the object's resource
// version. The controller removes a grant only with the resource version at which it saw the mark, and only after the
// grace period. So either the admission comes first, and the removal fails; or the removal comes first, and the
// admission creates the grant again.
const UnusedSinceAnnotation = v1alpha1.UnusedSinceAnnotation

// isMarked reports whether a grant is marked as unused.
func isMarked(object client.Object) bool {
	_, marked := object.GetAnnotations()[UnusedSinceAnnotation]
	return marked
}

// markUnused marks an unused grant, unless it is marked already. It returns how much of the grace period is left;
// zero or less means that the grant can be removed.
func (c *Controller) markUnused(ctx context.Context, object client.Object) (left time.Duration, err error) {
	now := c.Granter.now()
	since, err := time.Parse(time.RFC3339, object.GetAnnotations()[UnusedSinceAnnotation])
	if err == nil {
		return c.Grace - now.Sub(since), nil
	}
	// A grant is older than its pod.
	if left := min(settleAge, c.Grace) - now.Sub(object.GetCreationTimestamp().Time); left > 0 {
		return left, nil
	}
	marked := object.DeepCopyObject().(client.Object)
	annotations := marked.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[UnusedSinceAnnotation] = now.UTC().Format(time.RFC3339)
	marked.SetAnnotations(annotations)
	// The optimistic lock keeps an earlier mark that the cache may not show yet.
	patch := client.MergeFromWithOptions(object, client.MergeFromWithOptimisticLock{})
	if err := c.Granter.Client.Patch(ctx, marked, patch, fieldOwner); ignoreChanged(err) != nil {
		return 0, fmt.Errorf("mark %s as unused: %w", describe(object), err)
	}
	return c.Grace, nil
}

// removeUnused removes a grant if it has not changed. An admission that relies on it removes the mark, and so changes
// it.
func (c *Controller) removeUnused(ctx context.Context, object client.Object) error {
	seen := client.Preconditions{UID: new(object.GetUID()), ResourceVersion: new(object.GetResourceVersion())}
	if err := c.Granter.remove(ctx, object, seen); ignoreChanged(err) != nil {
		return fmt.Errorf("delete the unused %s: %w", describe(object), err)
	}
	return nil
}

// unmark removes the mark of a grant that is used again. A deleted grant is no error: the next admission applies it.
func (g *Granter) unmark(ctx context.Context, object client.Object) error {
	patch := client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata": {"annotations": {"`+UnusedSinceAnnotation+`": null}}}`))
	if err := g.Client.Patch(ctx, object.DeepCopyObject().(client.Object), patch,
		fieldOwner); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("mark %s as used: %w", describe(object), err)
	}
	return nil
}

// ignoreChanged ignores errors about a deleted or changed object, because the cache will soon show the change.
func ignoreChanged(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

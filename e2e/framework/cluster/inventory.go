package cluster

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
)

// inventoried are the kinds of cluster-scoped objects that the suites make. Admission comes first: without it,
// nothing that is removed later can be rejected. The API server removes what namespaces and definitions hold along
// with them.
var inventoried = []schema.GroupVersionResource{
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"},
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"},
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"},
	{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
	{Version: "v1", Resource: "namespaces"},
	{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	{Group: "node.k8s.io", Version: "v1", Resource: "runtimeclasses"},
	{Group: "scheduling.k8s.io", Version: "v1", Resource: "priorityclasses"},
	{Version: "v1", Resource: "nodes"},
}

type inventoryKey struct{ resource, name string }

// inventory lists the objects of the inventoried kinds.
func (c *Cluster) inventory(ctx context.Context) (map[inventoryKey]bool, error) {
	client, err := metadata.NewForConfigAndClient(metadata.ConfigFor(c.config), c.admin)
	if err != nil {
		return nil, err
	}
	found := map[inventoryKey]bool{}
	for _, resource := range inventoried {
		list, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", resource.Resource, err)
		}
		for _, item := range list.Items {
			found[inventoryKey{resource.Resource, item.Name}] = true
		}
	}
	return found, nil
}

const restoreTimeout = 2 * time.Minute

// restore deletes the objects that were not there before, and waits until they are gone.
func (c *Cluster) restore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, restoreTimeout)
	defer cancel()
	client, err := metadata.NewForConfigAndClient(metadata.ConfigFor(c.config), c.admin)
	if err != nil {
		return err
	}
	var added []inventoryKey
	err = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		now, err := c.inventory(ctx)
		if err != nil {
			return false, err
		}
		added = nil
		for _, resource := range inventoried {
			for key := range now {
				if key.resource != resource.Resource || c.before[key] {
					continue
				}
				added = append(added, key)
				err := client.Resource(resource).Delete(ctx, key.name, metav1.DeleteOptions{})
				if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
					return false, fmt.Errorf("delete %s %s: %w", key.resource, key.name, err)
				}
			}
		}
		return len(added) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("remove what the suite made: %w; left: %v", err, added)
	}
	return nil
}

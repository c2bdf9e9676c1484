package app

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/pager"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// workloadsOf returns a namespace's workloads that may get new pods. It leaves out objects that another listed workload
// owns, and finished jobs and pods without an owner. It keeps objects that a custom resource owns, since only they show
// what the owner's next pod looks like.
func workloadsOf(ctx context.Context, cluster client.Client, namespace string) ([]inspect.Workload, error) {
	type made struct {
		workload   inspect.Workload
		by         *metav1.OwnerReference
		isFinished bool
	}
	var all []made
	listed := sets.New[types.UID]()
	add := func(kind string, object metav1.Object, template corev1.PodTemplateSpec, isFinished bool) {
		listed.Insert(object.GetUID())
		all = append(all, made{
			inspect.Workload{Kind: kind, Name: object.GetName(), Metadata: template.ObjectMeta, Spec: template.Spec},
			metav1.GetControllerOf(object), isFinished,
		})
	}
	for _, kind := range workload.Kinds {
		if kind.NewList == nil {
			continue
		}
		list := kind.NewList()
		if err := listAll(ctx, cluster, list, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("list the workloads: %w", err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object, err := meta.Accessor(item)
			if template := kind.PodTemplate(item); err == nil && template != nil {
				add(kind.Kind, object, *template, workload.IsFinished(item))
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list the workloads: %w", err)
		}
	}
	var found []inspect.Workload
	for _, m := range all {
		if m.by == nil && !m.isFinished || m.by != nil && !listed.Has(m.by.UID) {
			found = append(found, m.workload)
		}
	}
	return found, nil
}

// pageSize is how many objects one request lists. kubectl uses the same.
const pageSize = 500

// listAll fills a list page by page, so that no answer of the API server is large.
func listAll(ctx context.Context, cluster client.Client, into client.ObjectList, options ...client.ListOption) error {
	var items []runtime.Object
	if err := eachItem(ctx, cluster, into, func(item runtime.Object) error {
		items = append(items, item)
		return nil
	}, options...); err != nil {
		return err
	}
	return meta.SetList(into, items)
}

// eachItem calls do for each object of a list, and holds at most two pages in memory.
func eachItem(ctx context.Context, cluster client.Client, empty client.ObjectList, do func(runtime.Object) error,
	options ...client.ListOption) error {
	_, err := eachItemSince(ctx, cluster, empty, do, options...)
	return err
}

// eachItemSince is eachItem, and also returns the version of the list, from which a watch can start.
func eachItemSince(ctx context.Context, cluster client.Client, empty client.ObjectList, do func(runtime.Object) error,
	options ...client.ListOption,
) (version string, err error) {
	var last string // the version of the latest page; after an error, a page may still be on its way
	pages := pager.New(func(ctx context.Context, page metav1.ListOptions) (runtime.Object, error) {
		list, ok := empty.DeepCopyObject().(client.ObjectList)
		if !ok {
			return nil, fmt.Errorf("%T is no list", empty)
		}
		err := cluster.List(ctx, list, append(slices.Clip(options), client.Limit(page.Limit),
			client.Continue(page.Continue))...)
		last = list.GetResourceVersion()
		return list, err
	})
	pages.PageSize, pages.PageBufferSize = pageSize, 1
	if err := pages.EachListItem(ctx, metav1.ListOptions{}, do); err != nil {
		return "", err
	}
	return last, nil
}

package app

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/status"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// errExpired means that the API server no longer has the changes since the list.
var errExpired = errors.New("the watch has expired")

// follow prints the pods and the rejections, and then each change, until ctx ends.
func (r *statusReader) follow(ctx context.Context, printer *statusPrinter) error {
	seen := map[types.UID]string{} // the printed state of each pod
	for first := true; ; first = false {
		report, err := r.read(ctx)
		if err != nil {
			return err
		}
		if err := r.problem(); err != nil {
			return err
		}
		for _, pod := range report.Pods {
			if err := printIfChanged(printer, seen, pod); err != nil {
				return err
			}
		}
		for _, rejection := range report.Rejected {
			if !first {
				break // the next Event prints the changes in between
			}
			if err := printer.rejected(rejection); err != nil {
				return err
			}
		}
		if err := r.changes(ctx, printer, seen); !errors.Is(err, errExpired) {
			return err
		}
	}
}

func printIfChanged(printer *statusPrinter, seen map[types.UID]string, pod status.Pod) error {
	text := fmt.Sprint(pod.State, pod.Restarts, pod.Message)
	if seen[pod.UID] == text {
		return nil
	}
	seen[pod.UID] = text
	return printer.change(pod)
}

// changes prints the changes since the list.
func (r *statusReader) changes(ctx context.Context, printer *statusPrinter, seen map[types.UID]string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pods, err := r.watch(ctx, r.podsVersion, func() client.ObjectList { return &corev1.PodList{} }, r.pods, nil)
	if err != nil {
		return err
	}
	rejected, err := r.watch(ctx, r.eventsVersion, func() client.ObjectList { return &corev1.EventList{} }, nil,
		fields.OneTermEqualSelector("reason", status.RejectedReason))
	if err != nil {
		return err
	}
	failed, err := r.watch(ctx, r.eventsVersion, func() client.ObjectList { return &corev1.EventList{} }, nil,
		fields.OneTermEqualSelector("reason", status.FailedCreateReason))
	if err != nil {
		return err
	}
	for {
		var event watch.Event
		var open bool
		select {
		case event, open = <-pods:
		case event, open = <-rejected:
		case event, open = <-failed:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !open {
			return errExpired
		}
		if err := r.changed(ctx, printer, seen, event); err != nil {
			return err
		}
	}
}

// changed prints one change.
func (r *statusReader) changed(ctx context.Context, printer *statusPrinter, seen map[types.UID]string,
	event watch.Event) error {
	if event.Type == watch.Error {
		err := apierrors.FromObject(event.Object)
		if apierrors.IsGone(err) || apierrors.IsResourceExpired(err) {
			return errExpired
		}
		return err
	}
	switch object := event.Object.(type) {
	case *corev1.Pod:
		if event.Type == watch.Deleted {
			delete(seen, object.UID)
			return nil
		}
		pod := status.Of(object)
		r.findOwner(ctx, &pod)
		return printIfChanged(printer, seen, pod)
	case *corev1.Event:
		rejection, ok := status.RejectionOf(object)
		if !ok || event.Type == watch.Deleted {
			return nil
		}
		if selected, err := r.selects(ctx, rejection); err != nil || !selected {
			return err
		}
		return printer.rejected(rejection)
	}
	return nil
}

// findOwner replaces the owner of a pod by the workload above it. An unreadable owner stays.
func (r *statusReader) findOwner(ctx context.Context, pod *status.Pod) {
	if pod.Owner == nil || !workload.HasOwner(pod.Owner.APIVersion, pod.Owner.Kind) {
		return
	}
	owner, known := r.owners[pod.Owner.UID]
	if !known {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(schema.FromAPIVersionAndKind(pod.Owner.APIVersion, pod.Owner.Kind))
		key := client.ObjectKey{Namespace: pod.Namespace, Name: pod.Owner.Name}
		if err := r.cluster.Get(ctx, key, object); err != nil {
			return
		}
		if owner = status.OwnerOf(object); owner == nil {
			owner = pod.Owner
		}
		r.owners[pod.Owner.UID] = owner
	}
	pod.Owner = owner
}

// watch returns the changes of objects since a version. It survives a lost connection.
func (r *statusReader) watch(ctx context.Context, since string, list func() client.ObjectList, matching labels.Selector,
	with fields.Selector) (<-chan watch.Event, error) {
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, since,
		watchFunc(func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return r.cluster.Watch(ctx, list(), &client.ListOptions{Namespace: r.namespace, LabelSelector: matching,
				FieldSelector: with, Raw: &options})
		}))
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	return watcher.ResultChan(), nil
}

// watchFunc adapts a function to client-go's interface for watches.
type watchFunc func(context.Context, metav1.ListOptions) (watch.Interface, error)

func (f watchFunc) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	return f(ctx, options)
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/watch"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/status"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// errExpired means that the API server no longer has the changes since the list.
var errExpired = errors.New("the watch has expired")

// follower prints the pods and rejections, and then their changes.
type follower struct {
	*statusReader
	printer           *statusPrinter
	printedPods       map[types.UID]string   // the state of each printed pod
	printedRejections map[string]metav1.Time // when each printed rejection was last seen
	notes             *notes
}

func newFollower(reader *statusReader, printer *statusPrinter, errOut io.Writer) *follower {
	return &follower{
		statusReader: reader, printer: printer, printedPods: map[types.UID]string{},
		printedRejections: map[string]metav1.Time{}, notes: &notes{out: errOut, printed: sets.New[string]()},
	}
}

// run prints until ctx ends.
func (f *follower) run(ctx context.Context) error {
	ctx = logr.NewContext(ctx, logr.Discard()) // the notes replace what client-go logs
	for {
		report, err := f.read(ctx)
		if err != nil {
			return err
		}
		for _, pod := range report.Pods {
			if err := f.printPod(pod); err != nil {
				return err
			}
		}
		for _, rejection := range report.Rejected {
			if err := f.printRejection(rejection); err != nil {
				return err
			}
		}
		f.noteIncomplete()
		if err := f.changes(ctx); !errors.Is(err, errExpired) {
			return err
		}
	}
}

// printPod prints a pod that is new or has changed.
func (f *follower) printPod(pod status.Pod) error {
	text := fmt.Sprint(pod.State, pod.Restarts, pod.Message)
	if f.printedPods[pod.UID] == text {
		return nil
	}
	f.printedPods[pod.UID] = text
	return f.printer.change(pod)
}

// printRejection prints a rejection that is new or has happened again.
func (f *follower) printRejection(r status.Rejection) error {
	key := strings.Join([]string{r.Namespace, r.Workload(), r.Message}, "/")
	if last, printed := f.printedRejections[key]; printed && !last.Before(&r.LastSeen) {
		return nil
	}
	f.printedRejections[key] = r.LastSeen
	return f.printer.rejected(r)
}

// noteIncomplete tells the person which objects could not be read.
func (f *follower) noteIncomplete() {
	for _, missing := range f.unread.texts {
		f.notes.add("Not looked at: " + missing)
	}
}

// changes prints the changes since the list.
func (f *follower) changes(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pods, err := f.watch(ctx, f.podsVersion, &corev1.PodList{}, &client.ListOptions{LabelSelector: f.pods})
	if err != nil {
		return err
	}
	rejected, err := f.watchEvents(ctx, status.RejectedReason)
	if err != nil {
		return err
	}
	failed, err := f.watchEvents(ctx, status.FailedCreateReason)
	if err != nil {
		return err
	}
	for {
		var event watch.Event
		var open bool
		from := &pods
		select {
		case event, open = <-pods:
		case event, open = <-rejected:
			from = &rejected
		case event, open = <-failed:
			from = &failed
		case <-ctx.Done():
			return ctx.Err()
		}
		if !open {
			return errExpired
		}
		switch err := f.changed(ctx, event); {
		case apierrors.IsForbidden(err) && from != &pods:
			*from = nil // never delivers
			_ = f.unread.mayBeForbidden("Events", err)
		case apierrors.IsForbidden(err):
			return fmt.Errorf("watch the pods: %w", err)
		case err != nil:
			return err
		}
		f.noteIncomplete()
	}
}

// changed prints one change.
func (f *follower) changed(ctx context.Context, event watch.Event) error {
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
			delete(f.printedPods, object.UID)
			return nil
		}
		pod := status.Of(object)
		f.findOwner(ctx, &pod)
		return f.printPod(pod)
	case *corev1.Event:
		rejection, ok := status.RejectionOf(object)
		if !ok || event.Type == watch.Deleted {
			return nil
		}
		if selected, err := f.selects(ctx, rejection); err != nil || !selected {
			return err
		}
		return f.printRejection(rejection)
	}
	return nil
}

// findOwner replaces the owner of a pod by the workload above it. An unreadable owner stays.
func (f *follower) findOwner(ctx context.Context, pod *status.Pod) {
	if pod.Owner == nil || !workload.HasOwner(pod.Owner.APIVersion, pod.Owner.Kind) {
		return
	}
	owner, known := f.owners[pod.Owner.UID]
	if !known {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(schema.FromAPIVersionAndKind(pod.Owner.APIVersion, pod.Owner.Kind))
		key := client.ObjectKey{Namespace: pod.Namespace, Name: pod.Owner.Name}
		if err := f.cluster.Get(ctx, key, object); err != nil {
			return
		}
		if owner = status.OwnerOf(object); owner == nil {
			owner = pod.Owner
		}
		f.owners[pod.Owner.UID] = owner
	}
	pod.Owner = owner
}

// watchEvents returns the changes of Events with a reason since their list. Without a list, it returns nil.
func (f *follower) watchEvents(ctx context.Context, reason string) (<-chan watch.Event, error) {
	version, listed := f.eventVersions[reason]
	if !listed {
		return nil, nil
	}
	return f.watch(ctx, version, &corev1.EventList{},
		&client.ListOptions{FieldSelector: fields.OneTermEqualSelector("reason", reason)})
}

// watch returns the changes of objects since a version. It survives a lost connection.
func (f *follower) watch(ctx context.Context, since string, list client.ObjectList,
	which *client.ListOptions) (<-chan watch.Event, error) {
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, since,
		watchFunc(func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			watched := *which
			watched.Namespace, watched.Raw = f.namespace, &options
			changes, err := f.cluster.Watch(ctx, list, &watched)
			if err != nil && ctx.Err() == nil && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) {
				f.notes.add(fmt.Sprintf("Trying again: %s", err))
			}
			return changes, err
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

// notes are lines for a person, each printed once. Several goroutines may add lines.
type notes struct {
	out     io.Writer
	lock    sync.Mutex
	printed sets.Set[string]
}

func (n *notes) add(text string) {
	n.lock.Lock()
	defer n.lock.Unlock()
	if !n.printed.Has(text) {
		n.printed.Insert(text)
		fmt.Fprintln(n.out, oneLine(text))
	}
}

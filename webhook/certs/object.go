package certs

import (
	"context"
	"fmt"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scopedKind is a kind, by an empty object of it, and whether its objects are in namespaces.
type scopedKind struct {
	object client.Object
	scope  meta.RESTScope
}

// newClient returns a client that knows the kinds given, and does not ask the API server which there are: a kind whose definition
// is not there yet is an error of each call, not of the client.
func newClient(config *rest.Config, scheme *runtime.Scheme, kinds ...scopedKind) (client.WithWatch, error) {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range kinds {
		found, _, err := scheme.ObjectKinds(kind.object)
		if err != nil {
			return nil, err
		}
		mapper.Add(found[0], kind.scope)
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: mapper})
}

// object is one object of the cluster, watched by its name: the right to read that one is enough.
type object[T client.Object] struct {
	what     string // for people
	informer cache.SharedIndexInformer
	failure  atomic.Pointer[error] // of the last call; nothing in it: it went well
	changed  func()                // called when there is news
}

// watchObject prepares to watch the object by the name key. List is an empty list of its kind.
func watchObject[T client.Object](reader client.WithWatch, what string, kind T, list client.ObjectList, key client.ObjectKey, changed func()) (*object[T], error) {
	o := &object[T]{what: what, changed: changed}
	options := func(raw metav1.ListOptions) client.ListOption {
		return &client.ListOptions{Namespace: key.Namespace, FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, key.Name), Raw: &raw}
	}
	empty := func() client.ObjectList { return list.DeepCopyObject().(client.ObjectList) }
	o.informer = cache.NewSharedIndexInformer(plainList{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, raw metav1.ListOptions) (runtime.Object, error) {
			into := empty()
			err := reader.List(ctx, into, options(raw))
			o.note(ctx, err)
			return into, err
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			watcher, err := reader.Watch(ctx, empty(), options(raw))
			o.note(ctx, err)
			return watcher, err
		},
	}}, kind, 0, nil)
	// What goes wrong has been noted; the informer would log it at each attempt.
	if err := o.informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}); err != nil {
		return nil, err
	}
	_, err := o.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() }, DeleteFunc: func(any) { changed() },
	})
	return o, err
}

// plainList has an object listed, and not streamed by a watch, which gains nothing for one, and of which a failure would be told
// twice, differently, at each attempt.
type plainList struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is asked by client-go (k8s.io/client-go/util/watchlist).
func (plainList) IsWatchListSemanticsUnSupported() bool { return true }

// watch watches until ctx ends. What cannot be watched is tried again, at ever longer intervals, up to half a minute.
func (o *object[T]) watch(ctx context.Context) {
	go func() {
		select {
		case <-o.informer.HasSyncedChecker().Done():
			o.changed() // that there is no such object is news too
		case <-ctx.Done():
		}
	}()
	o.informer.RunWithContext(ctx)
}

// note keeps how a call went.
func (o *object[T]) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	before := o.failure.Swap(&err)
	if news := before == nil || fmt.Sprint(*before) != fmt.Sprint(err); news && (err != nil || o.informer.HasSynced()) {
		o.changed()
	}
}

// unknown says why it is not known how the object is; nil when it is known.
func (o *object[T]) unknown() error {
	if failure := o.failure.Load(); failure != nil && *failure != nil {
		return fmt.Errorf("%s cannot be watched: %w", o.what, *failure)
	}
	if !o.informer.HasSynced() {
		return fmt.Errorf("%s has not been read yet", o.what)
	}
	return nil
}

// get returns the object as last heard of, and whether there is one. It is not to be changed.
func (o *object[T]) get() (found T, ok bool) {
	for _, item := range o.informer.GetStore().List() {
		found, ok = item.(T)
	}
	return found, ok
}

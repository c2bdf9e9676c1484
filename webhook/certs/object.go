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

// scopedKind is an empty object of a kind, and whether the kind is namespaced.
type scopedKind struct {
	object client.Object
	scope  meta.RESTScope
}

// newClient returns a client for the given kinds that does no discovery. If the definition of a kind is not installed
// yet, the calls fail, but newClient succeeds.
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

// object watches one object by its name, so it needs permission to read only this object.
type object[T client.Object] struct {
	what     string // the object's kind and name, for messages
	informer cache.SharedIndexInformer
	failure  atomic.Pointer[error] // of the last call; nil if it succeeded
	changed  func()                // called on each change, of the object or of failure
}

// watchObject returns an object, which the method watch then watches. List is an empty list of its kind.
func watchObject[T client.Object](reader client.WithWatch, what string, kind T, list client.ObjectList,
	key client.ObjectKey, changed func()) (*object[T], error) {
	o := &object[T]{what: what, changed: changed}
	options := func(raw metav1.ListOptions) client.ListOption {
		return &client.ListOptions{Namespace: key.Namespace,
			FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, key.Name), Raw: &raw}
	}
	empty := func() client.ObjectList { return list.DeepCopyObject().(client.ObjectList) }
	o.informer = cache.NewSharedIndexInformer(plainList{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, raw metav1.ListOptions) (runtime.Object, error) {
			into := empty()
			err := reader.List(ctx, into, options(raw))
			o.record(ctx, err)
			return into, err
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			watcher, err := reader.Watch(ctx, empty(), options(raw))
			o.record(ctx, err)
			return watcher, err
		},
	}}, kind, 0, nil)
	// The informer would log each attempt, although record already keeps failures.
	if err := o.informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector,
		error) {
	}); err != nil {
		return nil, err
	}
	_, err := o.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() }, DeleteFunc: func(any) { changed() },
	})
	return o, err
}

// plainList makes the informer list first instead of streaming the list by a watch. For one object, streaming has no
// advantage, and each failure would be reported twice in different words.
type plainList struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is called by client-go (k8s.io/client-go/util/watchlist).
func (plainList) IsWatchListSemanticsUnSupported() bool { return true }

// watch watches until ctx ends. It retries failures with a backoff of at most half a minute.
func (o *object[T]) watch(ctx context.Context) {
	go func() {
		select {
		case <-o.informer.HasSyncedChecker().Done():
			o.changed() // needed if the object does not exist
		case <-ctx.Done():
		}
	}()
	o.informer.RunWithContext(ctx)
}

// record keeps the result of a call.
func (o *object[T]) record(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	before := o.failure.Swap(&err)
	if news := before == nil || fmt.Sprint(*before) != fmt.Sprint(err); news && (err != nil || o.informer.HasSynced()) {
		o.changed()
	}
}

// unknown returns why the state of the object is unknown; nil if it is known.
func (o *object[T]) unknown() error {
	if failure := o.failure.Load(); failure != nil && *failure != nil {
		return fmt.Errorf("%s cannot be watched: %w", o.what, *failure)
	}
	if !o.informer.HasSynced() {
		return fmt.Errorf("%s has not been read yet", o.what)
	}
	return nil
}

// get returns the object as last seen, and whether it exists. The caller must not change it.
func (o *object[T]) get() (found T, ok bool) {
	for _, item := range o.informer.GetStore().List() {
		found, ok = item.(T)
	}
	return found, ok
}

package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Rules returns the current policies and profiles.
func (c *Cluster) Rules() *policy.Set { return c.rules.set.Load() }

// rules holds the compiled policies and profiles. Each is compiled when it changes, and never for a request.
type rules struct {
	set     atomic.Pointer[policy.Set]
	synced  []toolscache.InformerSynced
	filling bool // during the first list: the set is built once, at its end

	mu       sync.Mutex
	policies map[string]*policy.Policy
	profiles map[string]*policy.Profile
}

func newRules() *rules {
	r := &rules{filling: true, policies: map[string]*policy.Policy{}, profiles: map[string]*policy.Profile{}}
	r.set.Store(policy.NewSet(nil, nil))
	return r
}

// watch compiles each policy or profile that changes from now on.
func (r *rules) watch(ctx context.Context, informers cache.Informers) error {
	for _, object := range []client.Object{&v1alpha1.SysctlPolicy{}, &v1alpha1.SysctlProfile{}} {
		informer, err := informers.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { r.take(object, false) },
			UpdateFunc: func(_, object any) { r.take(object, false) },
			DeleteFunc: func(object any) { r.take(object, true) },
		})
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		r.synced = append(r.synced, registration.HasSynced)
	}
	return nil
}

// wait returns true when the first list is compiled, or false if ctx ends first.
func (r *rules) wait(ctx context.Context) bool {
	if !toolscache.WaitForCacheSync(ctx.Done(), r.synced...) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.filling = false
	r.renew()
	return true
}

// take compiles an object that was added, changed or deleted. An invalid policy counts as deleted. An invalid profile
// stays: pods that should get it are rejected. The status of either says why.
func (r *rules) take(object any, gone bool) {
	if last, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch object := object.(type) {
	case *v1alpha1.SysctlPolicy:
		compiled, errs := policy.CompilePolicy(object)
		set(r.policies, object.Name, compiled, gone || len(errs) > 0)
	case *v1alpha1.SysctlProfile:
		compiled, _ := policy.CompileProfile(object)
		set(r.profiles, object.Name, compiled, gone)
	}
	if !r.filling {
		r.renew()
	}
}

func (r *rules) renew() {
	r.set.Store(policy.NewSet(slices.Collect(maps.Values(r.policies)), slices.Collect(maps.Values(r.profiles))))
}

func set[T any](of map[string]T, name string, value T, gone bool) {
	if gone {
		delete(of, name)
		return
	}
	of[name] = value
}

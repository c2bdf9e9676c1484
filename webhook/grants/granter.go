package grants

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
	rbacv1 "k8s.io/api/rbac/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// timeout bounds what a pod's admission waits for its grants. The API server waits for the webhook 5 s in all.
	timeout = 3 * time.Second
	// settleAge is how old a grant must be to count as known to every API server without asking: they hear of it by their own
	// watches, within milliseconds.
	settleAge = 10 * time.Second
)

// Config is what a Granter works with. Every field is required.
type Config struct {
	Backend Backend
	// Client reads from caches that hold the objects with our label, and writes to the API server.
	Client client.Client
	// Reader reads from the API server.
	Reader  client.Reader
	Metrics *Metrics
}

// Granter sees to it that a pod's service account has what the pod needs before the pod is admitted.
type Granter struct {
	Config
	now func() time.Time

	needs, objects singleflight.Group

	mu sync.Mutex
	// inForce holds, by namespace, the needs that are met: for those no call is made.
	inForce map[string]map[string]bool
	// forgotten counts what was forgotten: what was found before that may no longer be so.
	forgotten uint64
}

// New returns a Granter, or says which field of config is missing.
func New(config Config) (*Granter, error) {
	switch {
	case renderers[config.Backend] == nil:
		return nil, fmt.Errorf("grants: Backend: %q is not one of %s", config.Backend, strings.Join(Backends(), ", "))
	case config.Client == nil:
		return nil, errors.New("grants: Client is required")
	case config.Reader == nil:
		return nil, errors.New("grants: Reader is required")
	case config.Metrics == nil:
		return nil, errors.New("grants: Metrics is required")
	}
	return &Granter{Config: config, now: time.Now, inForce: map[string]map[string]bool{}}, nil
}

// Watch forgets what is in force whenever one of our objects goes, grants something else, or is marked as unused.
func (g *Granter) Watch(ctx context.Context, informers cache.Informers) error {
	for _, object := range []client.Object{&rbacv1.ClusterRole{}, &rbacv1.RoleBinding{}} {
		informer, err := informers.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			UpdateFunc: func(before, after any) { g.updated(before.(client.Object), after.(client.Object)) },
			DeleteFunc: func(object any) {
				if last, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
					object = last.Obj
				}
				g.forget(object.(client.Object).GetNamespace())
			},
		})
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	return nil
}

// updated forgets what an object that has changed may no longer grant.
func (g *Granter) updated(before, after client.Object) {
	if !same(before, after) || isMarked(after) {
		g.forget(after.GetNamespace())
	}
}

// Ensure returns once the need's grants exist and the API server's authorizer knows of them. Where that is so already, it makes
// no call. Many pods with the same need are served by one.
func (g *Granter) Ensure(ctx context.Context, need Need) error {
	needKey := need.ServiceAccount + "/" + strings.Join(need.Sysctls, "/")
	if g.isInForce(need.Namespace, needKey) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := g.needs.DoChan(need.Namespace+"/"+needKey, func() (any, error) {
		// Others who wait for the same may outlive the request that happens to come first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		before := g.forgottenSoFar()
		err := recovered(func() error { return g.ensure(ctx, need) })()
		if err == nil {
			g.remember(need.Namespace, needKey, before)
		}
		return nil, err
	})
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return fmt.Errorf("wait for the grants of service account %q in namespace %q: %w", need.ServiceAccount, need.Namespace, ctx.Err())
	}
}

func (g *Granter) ensure(ctx context.Context, need Need) error {
	objects, err := Render(g.Backend, []Need{need})
	if err != nil {
		return err
	}
	settled := true
	var missing []client.Object
	for _, object := range objects {
		cached, err := g.cached(ctx, object)
		switch {
		case err != nil:
			return err
		case cached == nil:
			settled = false
			missing = append(missing, object)
		case g.now().Sub(cached.GetCreationTimestamp().Time) < settleAge:
			settled = false
		}
	}
	if settled {
		return nil
	}
	if err := g.applyAll(ctx, missing); err != nil {
		return err
	}
	return g.waitInForce(ctx, need, objects)
}

// waitInForce asks the authorizer, until it says yes to all.
func (g *Granter) waitInForce(ctx context.Context, need Need, objects []client.Object) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, access := range accesses(need, objects) {
		group.Go(recovered(func() error { return access.wait(ctx, g.Client) }))
	}
	return group.Wait()
}

func (g *Granter) isInForce(namespace, key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inForce[namespace][key]
}

func (g *Granter) forgottenSoFar() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.forgotten
}

// remember takes note of a need that was found to be met, unless something has been forgotten since.
func (g *Granter) remember(namespace, key string, forgottenBefore uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.forgotten != forgottenBefore {
		return
	}
	if g.inForce[namespace] == nil {
		g.inForce[namespace] = map[string]bool{}
	}
	g.inForce[namespace][key] = true
}

// forget is for a namespace, or for all where an object of none has changed.
func (g *Granter) forget(namespace string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forgotten++
	if namespace == "" {
		clear(g.inForce)
		return
	}
	delete(g.inForce, namespace)
}

package grants

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
	rbacv1 "k8s.io/api/rbac/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// timeout limits how long a pod's admission waits for its grants. The API server waits 5 s for the webhook.
	timeout = 3 * time.Second
	// settleAge is the age from which every API server knows a grant. Their watches take milliseconds.
	settleAge = 10 * time.Second
)

// Config configures a Granter. Every field is required.
type Config struct {
	Backend Backend
	// Client reads from caches that hold the objects with our label, and writes to the API server.
	Client client.Client
	// Reader reads from the API server.
	Reader  client.Reader
	Limits  Limits
	Metrics *Metrics
}

// Granter applies the grants that a pod needs before the pod is admitted.
type Granter struct {
	Config
	now func() time.Time

	needs, objects singleflight.Group
	settled        *settled
	usage          *usage
}

// New returns a Granter, or an error that names the missing field of config.
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
	if err := config.Limits.validate(); err != nil {
		return nil, err
	}
	return &Granter{Config: config, now: time.Now, settled: newSettled(), usage: newUsage(config.Limits)}, nil
}

// Watch forgets settled needs when one of our objects is deleted, grants something else, or is marked as unused.
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
				g.settled.forget(object.(client.Object).GetNamespace())
			},
		})
		if err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	return nil
}

// updated forgets the needs that a changed object may no longer meet.
func (g *Granter) updated(before, after client.Object) {
	if !same(before, after) || isMarked(after) {
		g.settled.forget(after.GetNamespace())
	}
}

// Ensure returns when the need's grants exist and the API server's authorizer knows them. If the need is settled, it
// makes no API call. Concurrent pods with the same need share one call. The error is a *RejectedError if the need may
// not be granted.
func (g *Granter) Ensure(ctx context.Context, need Need) error {
	hash := hashOf(need)
	if g.settled.has(need.Namespace, hash) {
		return nil
	}
	done := g.needs.DoChan(need.Namespace+"/"+string(hash[:]), func() (any, error) {
		// Other requests that wait for this call may outlive the first one. There is only this deadline: a second
		// deadline at the same moment would hide what the call was waiting for.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		generation := g.settled.currentGeneration()
		err := recovered(func() error { return g.ensure(ctx, need) })()
		if err == nil {
			g.settled.add(need.Namespace, hash, generation)
		}
		return nil, err
	})
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return fmt.Errorf("wait for the grants of service account %q in namespace %q: %w", need.ServiceAccount,
			need.Namespace, ctx.Err())
	}
}

func (g *Granter) ensure(ctx context.Context, need Need) error {
	objects, err := Render(g.Backend, []Need{need})
	if err != nil {
		return err
	}
	missing, recent, err := g.lookUp(ctx, objects)
	if err != nil || len(missing) == 0 && !recent {
		return err
	}
	if err := g.mayGrant(ctx, need, objects, missing); err != nil {
		return err
	}
	if err := g.applyAll(ctx, missing); err != nil {
		return err
	}
	return g.waitInForce(ctx, need, objects)
}

// lookUp returns the objects to apply, because the cache lacks them, and whether one of the others is so new that an
// API server may not know it. No cache holds policies. They are applied before their roles, so a cached role means that
// its policy exists. If somebody deletes a policy, the Controller restores it.
func (g *Granter) lookUp(
	ctx context.Context, objects []client.Object,
) (missing []client.Object, recent bool, err error) {
	for _, object := range objects {
		cached, err := g.cached(ctx, object)
		switch {
		case err != nil:
			return nil, false, err
		case cached == nil:
			missing = append(missing, object)
		case g.now().Sub(cached.GetCreationTimestamp().Time) < settleAge:
			recent = true
		}
	}
	if !slices.ContainsFunc(missing, func(object client.Object) bool { return rank(object) > 0 }) {
		missing = nil
	}
	return missing, recent, nil
}

// waitInForce asks the authorizer until it allows everything.
func (g *Granter) waitInForce(ctx context.Context, need Need, objects []client.Object) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, access := range accesses(need, objects) {
		group.Go(recovered(func() error { return access.wait(ctx, g.Client) }))
	}
	return group.Wait()
}

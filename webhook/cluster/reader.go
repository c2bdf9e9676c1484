package cluster

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reader reads cluster-scoped objects from the cache, or from the API server if the cache does not have them yet.
type reader struct {
	cache, server client.Reader
	misses        *rate.Limiter
}

// missesPerSecond and missBurst limit the reads from the API server. In a real cluster, few pods need one: the first
// of a new namespace, for as long as the cache lags behind. A flood of forged reviews, each with another name, would
// otherwise compete with the server's own grants and Lease at the API server.
const (
	missesPerSecond = 100
	missBurst       = 400
)

// askTimeout limits one call to the API server. An admission makes at most two, and has 4.5 s for both and its
// grants. A shorter limit would reject pods whenever the API server is slow.
const askTimeout = 1500 * time.Millisecond

var errTooManyMisses = errors.New("the cache does not have it, and too many pods at this moment name a namespace or " +
	"RuntimeClass that the cache does not have; try again")

func newReader(cache, server client.Reader) *reader {
	return &reader{cache, server, rate.NewLimiter(missesPerSecond, missBurst)}
}

func (r *reader) get(ctx context.Context, name string, into client.Object) error {
	key := client.ObjectKey{Name: name}
	err := r.cache.Get(ctx, key, into)
	if !apierrors.IsNotFound(err) {
		return err
	}
	if !r.misses.Allow() {
		return errTooManyMisses
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return r.server.Get(ctx, key, into)
}

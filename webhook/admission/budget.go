package admission

import (
	"container/list"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// budgets bound the memory of all bodies in flight. Small bodies, as nearly all pods are, have a quarter for themselves: large ones
// cannot keep them out.
type budgets struct{ small, large *budget }

// smallBody is the largest body that counts as small.
const smallBody = 128 << 10

func newBudgets(bytes int64) budgets {
	return budgets{newBudget(bytes / 4), newBudget(bytes - bytes/4)}
}

// of returns the budget for a body of so many bytes.
func (b budgets) of(bytes int64) *budget {
	if bytes <= smallBody {
		return b.small
	}
	return b.large
}

// budget bounds the memory of bodies. When it is used up, the bodies that have been on their way for the longest give way to new
// ones: an API server sends a body at once, so these are of clients that are slow or hostile.
type budget struct {
	free *semaphore.Weighted

	mu      sync.Mutex
	reading list.List // of *share, the oldest first
}

const (
	// patience is how long a body waits for its share. After that, its client is asked to try again.
	patience = time.Second
	// grace is how long each body has before it has to give way.
	grace = 500 * time.Millisecond
)

func newBudget(bytes int64) *budget { return &budget{free: semaphore.NewWeighted(bytes)} }

// share is the part of one body.
type share struct {
	bytes   int64
	begun   time.Time
	limit   func(time.Time) // sets the time by which the body has to be read
	element *list.Element
	evicted bool
}

// take returns the share of a body that is about to be read, or false if there is none. Limit is called if the body has to give way.
func (b *budget) take(ctx context.Context, bytes int64, limit func(time.Time)) (*share, bool) {
	if !b.free.TryAcquire(bytes) {
		b.evict(bytes)
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if b.free.Acquire(ctx, bytes) != nil {
			return nil, false
		}
	}
	s := &share{bytes: bytes, begun: time.Now(), limit: limit}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.element = b.reading.PushBack(s)
	return s, true
}

// evict limits the oldest reads, until enough memory is about to become free.
func (b *budget) evict(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for bytes > 0 && b.reading.Len() > 0 {
		s := b.reading.Remove(b.reading.Front()).(*share)
		s.element, s.evicted = nil, true
		s.limit(s.begun.Add(grace))
		bytes -= s.bytes
	}
}

// read says that the read of a body has ended: it gives way no more. It returns whether the body has had to.
func (b *budget) read(s *share) (evicted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.element != nil {
		b.reading.Remove(s.element)
		s.element = nil
	}
	return s.evicted
}

// release gives the share back.
func (b *budget) release(s *share) {
	b.read(s)
	b.free.Release(s.bytes)
}

package admission

import (
	"container/list"
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// budget bounds the memory of all bodies in flight. When it is used up, the bodies that have been on their way for the longest give
// way to new ones: an API server sends a body at once, so these are of clients that are slow or hostile.
type budget struct {
	free *semaphore.Weighted

	mu      sync.Mutex
	reading list.List // of *share, the oldest first
}

// patience is how long a body waits for its share. After that, its client is asked to try again.
const patience = time.Second

func newBudget(bytes int64) *budget { return &budget{free: semaphore.NewWeighted(bytes)} }

// share is the part of one body.
type share struct {
	bytes   int64
	abort   func() // stops the read
	element *list.Element
	evicted bool
}

// take returns the share of a body that is about to be read, or false if there is none. Abort is called if the body has to give way
// before it is read.
func (b *budget) take(ctx context.Context, bytes int64, abort func()) (*share, bool) {
	if !b.free.TryAcquire(bytes) {
		b.evict(bytes)
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if b.free.Acquire(ctx, bytes) != nil {
			return nil, false
		}
	}
	s := &share{bytes: bytes, abort: abort}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.element = b.reading.PushBack(s)
	return s, true
}

// evict aborts the oldest reads, until enough memory is about to become free.
func (b *budget) evict(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for bytes > 0 && b.reading.Len() > 0 {
		s := b.reading.Remove(b.reading.Front()).(*share)
		s.element, s.evicted = nil, true
		s.abort()
		bytes -= s.bytes
	}
}

// read says that a body is complete. It gives way no more. False means that it has had to.
func (b *budget) read(s *share) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.element != nil {
		b.reading.Remove(s.element)
		s.element = nil
	}
	return !s.evicted
}

// release gives the share back.
func (b *budget) release(s *share) {
	b.read(s)
	b.free.Release(s.bytes)
}

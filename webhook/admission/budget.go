package admission

import (
	"context"
	"slices"
	"sync"
	"time"
)

// smallBody is the largest body that needs no share of the budget. Nearly all pods are smaller, and the bound on
// connections bounds the memory of such bodies: 2,048 times 32 KiB.
const smallBody = 32 << 10

const (
	// patience is how long a body waits for its share. After that, its client is asked to try again.
	patience = 2 * time.Second
	// grace is how long a body may take to arrive while others wait. An API server sends a body at once.
	grace = 500 * time.Millisecond
)

// budget bounds the memory of the large bodies in flight. While it is used up, the smallest of the waiting bodies is
// next, and bodies that take longer than grace to arrive give way.
type budget struct {
	mu      sync.Mutex
	free    int64
	waiting []*share            // the smallest first, equal ones in their order
	reading map[*share]struct{} // without those that have to give way
}

func newBudget(bytes int64) *budget { return &budget{free: bytes, reading: map[*share]struct{}{}} }

// share is the part of one body.
type share struct {
	bytes   int64
	limit   func(time.Time) // sets the time by which the body has to be read
	granted chan struct{}
	begun   time.Time
	evicted bool
}

// take returns the share of a body that is about to be read, or false if there is none. Limit is called if the body
// has to give way.
func (b *budget) take(ctx context.Context, bytes int64, limit func(time.Time)) (*share, bool) {
	s := &share{bytes: bytes, limit: limit, granted: make(chan struct{})}
	b.wait(s)
	select {
	case <-s.granted: // at once, as nearly always
		return s, true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-s.granted:
		return s, true
	case <-ctx.Done():
		return s, !b.leave(s)
	}
}

func (b *budget) wait(s *share) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := slices.IndexFunc(b.waiting, func(other *share) bool { return other.bytes > s.bytes })
	if next < 0 {
		next = len(b.waiting)
	}
	b.waiting = slices.Insert(b.waiting, next, s)
	b.grant()
}

// leave ends the wait for a share. It returns false if the share was granted meanwhile.
func (b *budget) leave(s *share) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.Index(b.waiting, s)
	if at < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, at, at+1)
	return true
}

// grant grants what is free. If that is not enough, all bodies on their way have to arrive within their grace.
func (b *budget) grant() {
	for len(b.waiting) > 0 && b.waiting[0].bytes <= b.free {
		s := b.waiting[0]
		b.waiting = slices.Delete(b.waiting, 0, 1)
		b.free -= s.bytes
		b.reading[s] = struct{}{}
		s.begun = time.Now()
		close(s.granted)
	}
	if len(b.waiting) == 0 {
		return
	}
	for s := range b.reading {
		s.evicted = true
		s.limit(s.begun.Add(grace))
	}
	clear(b.reading)
}

// read says that the read of a body has ended: it gives way no more. It returns whether the body has had to.
func (b *budget) read(s *share) (evicted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.reading, s)
	return s.evicted
}

// release gives the share back.
func (b *budget) release(s *share) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.reading, s)
	b.free += s.bytes
	b.grant()
}

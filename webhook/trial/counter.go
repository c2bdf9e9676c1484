// Package trial counts the pods that policies on trial would have rejected. A count lives in memory: it is 0 after
// each start of the server.
package trial

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// hours is how far back a count goes.
const hours = 24

// Version is one state of a policy. A change of the policy resets its count.
type Version struct {
	UID        types.UID
	Generation int64
}

// Counter counts by policy. It is safe for concurrent use.
type Counter struct {
	now func() time.Time

	mu     sync.Mutex
	counts map[string]*count // by the policy's name
}

// count is the count of one policy, in a ring of hours.
type count struct {
	version Version
	known   bool // the version is
	since   time.Time
	pods    [hours]int64
	hour    [hours]int64 // since 1970, of each element of pods
}

// NewCounter returns an empty Counter.
func NewCounter(now func() time.Time) *Counter {
	return &Counter{now: now, counts: map[string]*count{}}
}

// Add counts one pod for each of the policies.
func (c *Counter) Add(policies []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for _, name := range policies {
		counted := c.of(name, now)
		hour := now.Unix() / int64(time.Hour/time.Second)
		i := hour % hours
		if counted.hour[i] != hour {
			counted.hour[i], counted.pods[i] = hour, 0
		}
		counted.pods[i]++
	}
}

// of returns the count of a policy, and begins it if there is none.
func (c *Counter) of(name string, now time.Time) *count {
	if c.counts[name] == nil {
		c.counts[name] = &count{since: now}
	}
	return c.counts[name]
}

// Count returns how many pods of the last day were counted for a policy, and the start of the count. It drops the
// count of another version.
func (c *Counter) Count(name string, version Version) (pods int64, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if former := c.counts[name]; former != nil && former.known && former.version != version {
		delete(c.counts, name)
	}
	counted := c.of(name, now)
	counted.version, counted.known = version, true
	oldest := now.Unix()/int64(time.Hour/time.Second) - hours + 1
	for i, n := range counted.pods {
		if counted.hour[i] >= oldest {
			pods += n
		}
	}
	since = counted.since
	if begins := time.Unix(oldest*int64(time.Hour/time.Second), 0); since.Before(begins) {
		since = begins
	}
	return pods, since
}

// Keep drops the counts of all policies but these.
func (c *Counter) Keep(names map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.counts {
		if !names[name] {
			delete(c.counts, name)
		}
	}
}

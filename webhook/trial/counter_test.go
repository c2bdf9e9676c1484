package trial

import (
	"testing"
	"time"
)

func TestCounter(t *testing.T) {
	start := time.Date(2026, 11, 27, 10, 30, 0, 0, time.UTC)
	now := start
	c := NewCounter(func() time.Time { return now })
	first, changed := Version{"a", 1}, Version{"a", 2}
	want := func(name string, version Version, pods int64, since time.Time) {
		t.Helper()
		if got, from := c.Count(name, version); got != pods || !from.Equal(since) {
			t.Errorf("%s at %s: %d since %s, want %d since %s", name, now.Format(time.TimeOnly), got, from.UTC(),
				pods, since)
		}
	}
	want("narrow", first, 0, start)
	c.Add([]string{"narrow", "other"})
	c.Add([]string{"narrow"})
	want("narrow", first, 2, start)
	want("other", first, 1, start)

	// The hours pass: what is a day old no longer counts.
	now = start.Add(5 * time.Hour)
	c.Add([]string{"narrow"})
	now = start.Add(23 * time.Hour)
	want("narrow", first, 3, start)
	now = start.Add(24 * time.Hour)
	want("narrow", first, 1, time.Date(2026, 11, 27, 11, 0, 0, 0, time.UTC))
	c.Add([]string{"narrow"}) // in the same element of the ring
	want("narrow", first, 2, time.Date(2026, 11, 27, 11, 0, 0, 0, time.UTC))
	now = start.Add(72 * time.Hour)
	want("narrow", first, 0, time.Date(2026, 11, 29, 11, 0, 0, 0, time.UTC))

	// A change or deletion of a policy resets its count.
	c.Add([]string{"narrow"})
	want("narrow", changed, 0, now)
	c.Add([]string{"narrow"})
	c.Keep(map[string]bool{"other": true})
	want("narrow", changed, 0, now)
	want("other", first, 0, time.Date(2026, 11, 29, 11, 0, 0, 0, time.UTC))
}

package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// holding is a Reader with objects of some names. It counts the reads.
type holding struct {
	client.Reader
	names map[string]bool
	reads int
}

func (h *holding) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	h.reads++
	if !h.names[key.Name] {
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	into.SetName(key.Name)
	into.SetLabels(map[string]string{"example.com/team": key.Name})
	return nil
}

// A flood of reviews with names that do not exist causes a limited number of reads from the API server. Beyond the
// limit, the answer is an error, and not that the object does not exist. Names in the cache have no limit.
func TestNamesThatTheCacheLacksAreReadAtALimitedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache, server := &holding{names: map[string]bool{"shop": true}}, &holding{names: map[string]bool{"new": true}}
		c := &Cluster{objects: newReader(cache, server), synced: make(chan struct{})}
		close(c.synced)
		flood := func() {
			for i := range 5000 {
				name := fmt.Sprint("forged-", i)
				_, err := c.NamespaceLabels(t.Context(), name)
				if err == nil {
					_, err = c.RuntimeClass(t.Context(), name)
				}
				if err != nil && !errors.Is(err, errTooManyMisses) {
					t.Fatal(err)
				}
			}
		}
		if labels, err := c.NamespaceLabels(t.Context(), "new"); err != nil || labels["example.com/team"] != "new" {
			t.Errorf("a namespace that is newer than the cache: labels %v, %v", labels, err)
		}
		flood()
		if server.reads != missBurst {
			t.Errorf("%d reads from the API server, want %d", server.reads, missBurst)
		}
		for _, name := range []string{"new", "forged-0"} {
			if _, err := c.NamespaceLabels(t.Context(), name); !errors.Is(err, errTooManyMisses) {
				t.Errorf("namespace %q, beyond the limit: %v", name, err)
			}
			if _, err := c.RuntimeClass(t.Context(), name); !errors.Is(err, errTooManyMisses) {
				t.Errorf("RuntimeClass %q, beyond the limit: %v", name, err)
			}
		}
		if labels, err := c.NamespaceLabels(t.Context(), "shop"); err != nil || labels["example.com/team"] != "shop" {
			t.Errorf("a namespace in the cache: labels %v, %v", labels, err)
		}
		time.Sleep(time.Second)
		if _, err := c.NamespaceLabels(t.Context(), "new"); err != nil {
			t.Errorf("a second later: %v", err)
		}
		flood()
		if want := missBurst + missesPerSecond; server.reads != want {
			t.Errorf("%d reads from the API server after another second, want %d", server.reads, want)
		}
	})
}

// An error of the cache is no miss.
func TestErrorsOfTheCacheAreNoMisses(t *testing.T) {
	broken, server := errors.New("no such informer"), &holding{}
	r := newReader(failing{err: broken}, server)
	if err := r.get(t.Context(), "shop", namespaceMetadata()); !errors.Is(err, broken) || server.reads > 0 {
		t.Errorf("%v, and %d reads from the API server", err, server.reads)
	}
}

type failing struct {
	client.Reader
	err error
}

func (f failing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return f.err
}

// Live pods that name a deleted RuntimeClass cost no reads.
func TestLivePodsOfADeletedClass(t *testing.T) {
	server := &holding{}
	c := cached{&Cluster{objects: newReader(&holding{names: map[string]bool{"kata": true}}, server)}}
	for name, want := range map[string]bool{"kata": true, "deleted": false} {
		if class, err := c.RuntimeClass(t.Context(), name); err != nil || (class != nil) != want {
			t.Errorf("RuntimeClass %q: %v, %v", name, class, err)
		}
	}
	if server.reads > 0 {
		t.Errorf("%d reads", server.reads)
	}
}

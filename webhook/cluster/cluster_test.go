package cluster

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
)

// An API server that knows none of our kinds keeps the caches from being filled.
func TestEndsBeforeItsCachesAreFilled(t *testing.T) {
	asked := make(chan struct{})
	var once sync.Once
	apiServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(asked) })
		http.NotFound(w, r)
	}))
	defer apiServer.Close()
	c, err := New(Config{
		REST: &rest.Config{Host: apiServer.URL}, Grants: RequireGrants, Backend: grants.ValidatingAdmissionPolicy,
		Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Start(ctx) }()
	<-asked
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if c.Ready() == nil {
		t.Error("is ready, and knows nothing")
	}
}

// A decision that comes before the caches are filled ends with its context, and says what it waited for.
func TestWaitsForTheCachesNoLongerThanAsked(t *testing.T) {
	c := &Cluster{synced: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.NamespaceLabels(ctx, "shop"); !errors.Is(err, errNotSynced) {
		t.Errorf("got %v", err)
	}
}

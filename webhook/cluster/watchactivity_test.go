package cluster

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The start of a watch and everything that arrives on it count as activity; other requests do not.
func TestWatchActivity(t *testing.T) {
	send := make(chan string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/forbidden" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_ = http.NewResponseController(w).Flush()
		for text := range send {
			fmt.Fprint(w, text)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer server.Close()
	h := newWatchActivity(prometheus.NewRegistry())
	client := http.Client{Transport: h.wrap(http.DefaultTransport)}
	get := func(path string) io.ReadCloser {
		response, err := client.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		return response.Body
	}
	began := float64(time.Now().UnixNano()) / 1e9
	body := get("/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings?allowWatchBookmarks=true&watch=true")
	last := h.last.WithLabelValues("rolebindings")
	if at := testutil.ToFloat64(last); at < began {
		t.Errorf("the last activity is at %f as it begins, not before %f", at, began)
	}
	last.Set(0)
	send <- "bookmark"
	if _, err := io.ReadFull(body, make([]byte, len("bookmark"))); err != nil {
		t.Fatal(err)
	}
	if at := testutil.ToFloat64(last); at < began {
		t.Errorf("the last activity is at %f by a bookmark, not before %f", at, began)
	}
	last.Set(0)
	close(send)
	if _, err := io.ReadAll(body); err != nil {
		t.Fatal(err)
	}
	if at := testutil.ToFloat64(last); at != 0 {
		t.Errorf("the last activity is at %f by its end", at)
	}
	for _, path := range []string{"/api/v1/namespaces/shop/pods", "/api/v1/namespaces?allowWatchBookmarks=true",
		"/api/v1/forbidden?watch=true"} {
		_ = get(path).Close()
	}
	if series := testutil.CollectAndCount(h.last); series != 1 {
		t.Errorf("%d resources have activity, want 1", series)
	}
}

func BenchmarkWatchActivityRead(b *testing.B) {
	h := newWatchActivity(prometheus.NewRegistry())
	body := &watchBody{io.NopCloser(endless{}), h.last.WithLabelValues("pods")}
	buffer := make([]byte, 512)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = body.Read(buffer)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

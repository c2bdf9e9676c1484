package cluster

import (
	"io"
	"net/http"
	"path"

	"github.com/prometheus/client_golang/prometheus"
)

// watchActivity is a metric with the time of the last data on the watch of each resource. It shows how old the caches
// may be. Reflectors ask for bookmarks, and the API server sends one about every minute, except for a resource
// without an event since the API server started. A watch ends after 10 minutes at most (defaultMaxWatchTimeout in
// client-go's tools/cache/reflector.go), and the next one counts, too. A longer silence means that the watch hangs.
type watchActivity struct{ last *prometheus.GaugeVec }

func newWatchActivity(registry prometheus.Registerer) *watchActivity {
	a := &watchActivity{prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sysctl_injector_cache_heard_timestamp_seconds",
		Help: "When the API server last sent anything on the watch of a resource, in Unix time.",
	}, []string{"resource"})}
	registry.MustRegister(a.last)
	return a
}

// wrap returns a transport that records the activity of the watches that go through it.
func (a *watchActivity) wrap(next http.RoundTripper) http.RoundTripper {
	return watchTransport{next, a}
}

type watchTransport struct {
	http.RoundTripper
	activity *watchActivity
}

// RoundTrip implements http.RoundTripper.
func (t watchTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK || request.URL.Query().Get("watch") != "true" {
		return response, err
	}
	// /api/v1/namespaces, or /apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE
	last := t.activity.last.WithLabelValues(path.Base(request.URL.Path))
	last.SetToCurrentTime()
	response.Body = &watchBody{response.Body, last}
	return response, nil
}

// watchBody is the body of a watch's response, which lasts for minutes.
type watchBody struct {
	io.ReadCloser
	last prometheus.Gauge
}

// Read implements io.Reader.
func (b *watchBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.last.SetToCurrentTime()
	}
	return n, err
}

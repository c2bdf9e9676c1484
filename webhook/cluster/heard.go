package cluster

import (
	"io"
	"net/http"
	"path"

	"github.com/prometheus/client_golang/prometheus"
)

// heard tells how old the caches may be: when anything last arrived on the watch of each resource. The API server sends a bookmark
// about every minute where nothing changes (reflectors ask for them), so that silence for longer means that the watch hangs.
type heard struct{ last *prometheus.GaugeVec }

func newHeard(registry prometheus.Registerer) *heard {
	h := &heard{prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sysctl_injector_cache_heard_timestamp_seconds",
		Help: "When the API server last sent anything on the watch of a resource, in Unix time.",
	}, []string{"resource"})}
	registry.MustRegister(h.last)
	return h
}

// wrap listens to what a client's transport receives on watches.
func (h *heard) wrap(next http.RoundTripper) http.RoundTripper { return listener{next, h} }

type listener struct {
	http.RoundTripper
	heard *heard
}

// RoundTrip implements http.RoundTripper.
func (l listener) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusOK || request.URL.Query().Get("watch") != "true" {
		return response, err
	}
	// /api/v1/namespaces, or /apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE
	last := l.heard.last.WithLabelValues(path.Base(request.URL.Path))
	last.SetToCurrentTime()
	response.Body = &heardBody{response.Body, last}
	return response, nil
}

// heardBody is the body of a watch's response, which goes on for minutes.
type heardBody struct {
	io.ReadCloser
	last prometheus.Gauge
}

// Read implements io.Reader.
func (b *heardBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.last.SetToCurrentTime()
	}
	return n, err
}

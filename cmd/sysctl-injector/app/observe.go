package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// check is a condition for the readiness of the server, or a state that a person may want to know. Each of its
// functions may be nil.
type check struct {
	name  string
	ready func() error                  // returns why the server is not ready; nil if it is
	state func() (text string, ok bool) // returns the text to show, and whether the state is good; "" shows nothing
}

// list writes the check's lines, and reports whether the check passed.
func (c check) list(w io.Writer) (passed bool) {
	passed = true
	if c.ready != nil {
		if err := c.ready(); err != nil {
			passed = false
			fmt.Fprintf(w, "[-]%s: %s\n", c.name, err)
		} else {
			fmt.Fprintf(w, "[+]%s ok\n", c.name)
		}
	}
	if c.state == nil {
		return passed
	}
	if text, ok := c.state(); text != "" {
		sign := "[!]" // a warning, which does not affect readiness
		if ok {
			sign = "[+]"
		}
		fmt.Fprintf(w, "%s%s\n", sign, text)
	}
	return passed
}

// Limits for the port of liveness, readiness and metrics. Any pod may reach it, and it has no TLS.
const (
	observeReadTimeout  = 5 * time.Second
	observeWriteTimeout = 10 * time.Second
	observeIdleTimeout  = 2 * time.Minute // longer than a usual interval between scrapes
	observeHeaderBytes  = 8 << 10
	// observeConnections limits the open connections. A new connection replaces the one that has been silent for the
	// longest, so the kubelet's probes, which open a connection each, are always answered.
	observeConnections = 64
	// observeScrapes limits the answers of /metrics that are written at the same time. Each has all metrics in memory.
	observeScrapes = 8
)

// observeServe serves liveness, readiness and metrics until ctx ends.
func observeServe(ctx context.Context, listener net.Listener, registry *prometheus.Registry, checks []check) error {
	server := newObserveServer(registry, checks)
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func newObserveServer(registry *prometheus.Registry, checks []check) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/readyz", readyz(checks))
	// A compressor needs 0.8 MB of memory, and saves only a few KB for each answer.
	mux.Handle("/metrics", promhttp.HandlerFor(registry,
		promhttp.HandlerOpts{DisableCompression: true, MaxRequestsInFlight: observeScrapes}))
	server := &http.Server{
		Handler:        mux,
		ReadTimeout:    observeReadTimeout,
		WriteTimeout:   observeWriteTimeout,
		IdleTimeout:    observeIdleTimeout,
		MaxHeaderBytes: observeHeaderBytes,
	}
	admission.LimitConnections(server, observeConnections)
	return server
}

// readyz answers 200 if every check passes, and 503 otherwise. With ?verbose, or if a check fails, it lists all
// checks.
func readyz(checks []check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var list strings.Builder
		status := http.StatusOK
		for _, c := range checks {
			if !c.list(&list) {
				status = http.StatusServiceUnavailable
			}
		}
		w.WriteHeader(status)
		if _, verbose := r.URL.Query()["verbose"]; verbose || status != http.StatusOK {
			fmt.Fprint(w, list.String())
			return
		}
		fmt.Fprintln(w, "ok")
	})
}

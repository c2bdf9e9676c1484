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

// observeServe serves liveness, readiness and metrics until ctx ends.
func observeServe(ctx context.Context, listener net.Listener, registry *prometheus.Registry, checks []check) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/readyz", readyz(checks))
	// A compressor needs 0.8 MB of memory, and saves only a few KB for each answer.
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
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

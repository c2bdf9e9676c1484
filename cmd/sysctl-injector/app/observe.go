package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// check is one thing that has to be right for the server to be ready.
type check struct {
	name  string
	ready func() error // why it is not; nil when it is
}

// observeServe serves liveness, readiness and metrics until ctx ends.
func observeServe(ctx context.Context, listener net.Listener, registry *prometheus.Registry, checks []check) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("/readyz", readyz(checks))
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
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

// readyz answers 200 when every check passes, and else 503. With ?verbose, or when one fails, it lists them all.
func readyz(checks []check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var list strings.Builder
		status := http.StatusOK
		for _, c := range checks {
			if err := c.ready(); err != nil {
				status = http.StatusServiceUnavailable
				fmt.Fprintf(&list, "[-]%s: %s\n", c.name, err)
				continue
			}
			fmt.Fprintf(&list, "[+]%s ok\n", c.name)
		}
		w.WriteHeader(status)
		if _, verbose := r.URL.Query()["verbose"]; verbose || status != http.StatusOK {
			fmt.Fprint(w, list.String())
			return
		}
		fmt.Fprintln(w, "ok")
	})
}

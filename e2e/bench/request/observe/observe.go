// Package observe is what the servers beside the webhook have in common with it: flags, and what they serve of
// themselves.
package observe

import (
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"
)

// Server is what the flags say.
type Server struct {
	Address, CertFile, KeyFile, observe string

	Log *slog.Logger
}

// Main reads the flags and serves.
func Main(serve func(*Server) error) {
	s := &Server{Log: slog.New(slog.NewJSONHandler(os.Stderr, nil))}
	flag.StringVar(&s.Address, "bind-address", "127.0.0.1:0", "of HTTPS")
	flag.StringVar(&s.observe, "observe-bind-address", "127.0.0.1:0", "of /metrics")
	flag.StringVar(&s.CertFile, "tls-cert-file", "", "")
	flag.StringVar(&s.KeyFile, "tls-private-key-file", "", "in the same directory")
	flag.Parse()
	if err := serve(s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Observe serves how much the program has allocated as /metrics, and then logs both addresses as the webhook does.
func (s *Server) Observe(webhook net.Addr) error {
	listener, err := net.Listen("tcp", s.observe)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		fmt.Fprintf(w, "go_memstats_mallocs_total %d\n", stats.Mallocs)
	})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { s.Log.Error("Stopped", "cause", server.Serve(listener)) }()
	s.Log.Info("Serving", "webhook", webhook.String(), "observe", listener.Addr().String())
	return nil
}

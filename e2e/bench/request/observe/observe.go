// Package observe serves of a program what the webhook serves of itself too: how much it has allocated.
package observe

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"time"
)

// Start serves /metrics, and then logs both addresses as the webhook does.
func Start(address string, webhook net.Addr, log *slog.Logger) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		fmt.Fprintf(w, "go_memstats_mallocs_total %d\ngo_memstats_alloc_bytes_total %d\n", stats.Mallocs, stats.TotalAlloc)
	})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { log.Error("Serves no longer", "cause", server.Serve(listener)) }()
	log.Info("Serves", "webhook", webhook.String(), "observe", listener.Addr().String())
	return nil
}

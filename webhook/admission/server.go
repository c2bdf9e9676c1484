package admission

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// MutatePath is where pods are decided upon.
const MutatePath = "/mutate-pods"

// ServerConfig is what a Server listens with. Every field but ShutdownDelay is required.
type ServerConfig struct {
	Listener       net.Listener
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Handler        http.Handler
	// ShutdownDelay is how long the server still takes new connections once it has been told to stop, for those who send
	// requests to learn that it does.
	ShutdownDelay time.Duration
	Log           *slog.Logger
}

// How long a client may take. The API server gives a webhook 30 s at the most, and by our own configuration 5 s.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
	// The API server closes idle connections after 90 s (net/http's DefaultTransport). Who closes first must not be the
	// server, or a request that is just on its way is lost.
	idleTimeout = 3 * time.Minute
	// A request in flight ends within this time: the API server does not wait longer either.
	drainTimeout   = 30 * time.Second
	maxHeaderBytes = 16 << 10
)

// Serve answers HTTPS on the listener until ctx ends, and then lets the requests in flight finish.
func Serve(ctx context.Context, config ServerConfig) error {
	mux := http.NewServeMux()
	mux.Handle(MutatePath, config.Handler)
	server := &http.Server{
		Handler:           closeWhenEnding(ctx, mux),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(config.Log.Handler(), slog.LevelDebug), // a client's broken handshake is no error of ours
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: config.GetCertificate,
			// HTTP/1.1: with one request at a time on each of the API server's connections, HTTP/2 only adds cost.
			NextProtos: []string{"http/1.1"},
		},
	}
	drained := make(chan error, 1)
	go func() {
		<-ctx.Done()
		time.Sleep(config.ShutdownDelay)
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		drained <- server.Shutdown(stop)
	}()
	if err := server.ServeTLS(config.Listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}

// closeWhenEnding answers with "Connection: close" once ctx has ended, so that who sends opens its next connection elsewhere. If
// the server closed idle connections by itself in the end, a request could be just on its way, and be lost.
func closeWhenEnding(ctx context.Context, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
}

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

// ServerConfig is what a Server listens with. Every field but ShutdownDelay, GetClientCAs and Workloads is required.
type ServerConfig struct {
	Listener       net.Listener
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// GetClientCAs, if set, returns the CAs that must have signed the certificate of a client.
	GetClientCAs ClientCAs
	Handler      http.Handler // for pods
	// Workloads, if set, is for the kinds that hold pod templates.
	Workloads http.Handler
	// ShutdownDelay is how long the server still accepts connections after ctx ends, so that clients have time to
	// learn of it.
	ShutdownDelay time.Duration
	Log           *slog.Logger
}

const (
	// readTimeout limits the TLS handshake and, for each request, the headers and the body. An API server sends all
	// of them at once.
	readTimeout = 5 * time.Second
	// writeTimeout starts at the end of the headers. It is longer than the timeouts of the body and the decision
	// together.
	writeTimeout = readTimeout + maxTimeout + 5*time.Second
	// The API server closes idle connections after 90 s (net/http's DefaultTransport). It must close first, because a
	// request on its way to a closed connection is lost.
	idleTimeout = 3 * time.Minute
	// drainTimeout limits the time for requests in flight at shutdown. The API server waits no longer for a decision.
	drainTimeout   = maxTimeout
	maxHeaderBytes = 8 << 10
	// maxConnections limits the memory of connections. An API server has at most one for each request in flight.
	maxConnections = 2048
)

// Serve serves HTTPS on the listener until ctx ends, and then waits for the requests in flight.
func Serve(ctx context.Context, config ServerConfig) error {
	server := newServer(ctx, config)
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

func newServer(ctx context.Context, config ServerConfig) *http.Server {
	mux := http.NewServeMux()
	mux.Handle(MutatePath, config.Handler)
	mux.Handle(DefaultsPath, config.Handler)
	if config.Workloads != nil {
		mux.Handle(WorkloadsPath, config.Workloads)
	}
	server := &http.Server{
		Handler:        closeWhenEnding(ctx, mux),
		TLSConfig:      &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: config.GetCertificate},
		Protocols:      new(http.Protocols),
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		// A client that aborts its handshake is not an error of the server.
		ErrorLog: slog.NewLogLogger(config.Log.Handler(), slog.LevelDebug),
	}
	LimitConnections(server, maxConnections)
	// The API server sends one request at a time on each connection, so HTTP/2 would only add cost.
	server.Protocols.SetHTTP1(true)
	if config.GetClientCAs != nil {
		config.GetClientCAs.require(server.TLSConfig)
	}
	return server
}

// closeWhenEnding answers with "Connection: close" after ctx has ended, so that a client opens its next connection to
// another server. Closing idle connections without notice would lose the requests that are on their way.
func closeWhenEnding(ctx context.Context, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(&closingWriter{w, ctx}, r)
	})
}

type closingWriter struct {
	http.ResponseWriter
	serving context.Context //nolint:containedctx // of the server, not of the request
}

// WriteHeader implements http.ResponseWriter.
func (w *closingWriter) WriteHeader(status int) {
	if w.serving.Err() != nil {
		w.Header().Set("Connection", "close")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap implements the method that http.ResponseController looks for.
func (w *closingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

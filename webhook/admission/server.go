package admission

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"
)

// MutatePath is where pods are decided upon.
const MutatePath = "/mutate-pods"

// ServerConfig is what a Server listens with. Every field but ShutdownDelay is required.
type ServerConfig struct {
	Listener       net.Listener
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Handler        fasthttp.RequestHandler
	// ShutdownDelay is how long the server still takes new connections once it has been told to stop, for those who send
	// requests to learn that it does.
	ShutdownDelay time.Duration
	Log           *slog.Logger
}

// How long a client may take. The API server gives a webhook 30 s at the most, and by our own configuration 5 s.
const (
	readTimeout = 10 * time.Second
	// On a connection's first request both count from the handshake on; who sent too slowly can still be told so.
	writeTimeout = 2 * readTimeout
	// The API server closes idle connections after 90 s (net/http's DefaultTransport). Who closes first must not be the
	// server, or a request that is just on its way is lost.
	idleTimeout = 3 * time.Minute
	// A request in flight ends within this time: the API server does not wait longer either.
	drainTimeout   = 30 * time.Second
	maxHeaderBytes = 8 << 10
)

// Serve answers HTTPS on the listener until ctx ends, and then lets the requests in flight finish.
func Serve(ctx context.Context, config ServerConfig) error {
	server := newServer(ctx, config.Handler, config.Log)
	listener := tls.NewListener(config.Listener, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: config.GetCertificate,
		// HTTP/1.1: with one request at a time on each of the API server's connections, HTTP/2 only adds cost.
		NextProtos: []string{"http/1.1"},
	})
	drained := make(chan error, 1)
	go func() {
		<-ctx.Done()
		time.Sleep(config.ShutdownDelay)
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		drained <- server.ShutdownWithContext(stop)
	}()
	if err := server.Serve(listener); err != nil {
		return err
	}
	return <-drained
}

// newServer makes a server of fasthttp's. That of net/http listens, while a request is answered, for whether the client goes away, which
// nobody here asks; with what else it does, a small pod costs a sixth more (docs/benchmarks.md).
func newServer(ctx context.Context, handler fasthttp.RequestHandler, log *slog.Logger) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:        closeWhenEnding(ctx, onlyMutate(handler)),
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		IdleTimeout:    idleTimeout,
		ReadBufferSize: maxHeaderBytes,
		// The handler reads the body, and says how much memory it is given. A form's files would be written to the disk before.
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		SecureErrorLogMessage:        true,
		Logger:                       slog.NewLogLogger(log.Handler(), slog.LevelDebug), // a client's broken handshake is no error of ours
	}
}

// onlyMutate answers no other path.
func onlyMutate(handler fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		if string(c.Path()) != MutatePath {
			c.Error("404 page not found", http.StatusNotFound)
			return
		}
		handler(c)
	}
}

// closeWhenEnding answers with "Connection: close" once ctx has ended, so that who sends opens its next connection elsewhere. If
// the server closed idle connections by itself in the end, a request could be just on its way, and be lost.
func closeWhenEnding(ctx context.Context, handler fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(c *fasthttp.RequestCtx) {
		handler(c)
		if ctx.Err() != nil {
			c.SetConnectionClose()
		}
	}
}

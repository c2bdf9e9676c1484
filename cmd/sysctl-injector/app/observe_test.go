package app

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
)

func TestReadyz(t *testing.T) {
	fine, broken := func() error { return nil }, func() error { return errors.New("the reason") }
	says := func(text string, ok bool) func() (string, bool) { return func() (string, bool) { return text, ok } }
	tests := []struct {
		name, query string
		checks      []check
		code        int
		body        string
	}{
		{"says no more than ok", "", []check{{name: "a", ready: fine, state: says("a state", false)}},
			http.StatusOK, "ok\n"},
		{"lists everything when asked", "?verbose", []check{{name: "a", ready: fine, state: says("all is well", true)},
			{name: "b", ready: fine, state: says("", true)}},
			http.StatusOK, "[+]a ok\n[+]all is well\n[+]b ok\n"},
		{"is ready whatever it remarks", "?verbose", []check{{state: says("a state", false)}}, http.StatusOK,
			"[!]a state\n"},
		{"lists everything when not ready", "", []check{{name: "a", ready: broken, state: says("a state", false)},
			{name: "b", ready: fine}},
			http.StatusServiceUnavailable, "[-]a: the reason\n[!]a state\n[+]b ok\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answer := httptest.NewRecorder()
			readyz(test.checks).ServeHTTP(answer,
				httptest.NewRequest(http.MethodGet, "/readyz"+test.query, http.NoBody))
			if answer.Code != test.code || answer.Body.String() != test.body {
				t.Errorf("answers %d %q, want %d %q", answer.Code, answer.Body, test.code, test.body)
			}
		})
	}
}

// request sends a request on a connection and returns the status of the answer.
func request(t *testing.T, conn net.Conn, text string) int {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// openConnections is a listener that counts its open connections.
type openConnections struct {
	net.Listener
	count atomic.Int64
}

func (o *openConnections) Accept() (net.Conn, error) {
	conn, err := o.Listener.Accept()
	if err == nil {
		o.count.Add(1)
		conn = &countedConn{Conn: conn, closed: sync.OnceFunc(func() { o.count.Add(-1) })}
	}
	return conn, err
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// serveObserve serves liveness, readiness and metrics. It returns the listener and a function that opens a connection.
func serveObserve(t *testing.T) (*openConnections, func() net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &openConnections{Listener: listener}
	go func() { _ = observeServe(t.Context(), counted, prometheus.NewRegistry(), nil) }()
	return counted, func() net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
}

// Clients that keep connections open take their places from each other, and not from the kubelet's probes.
func TestProbesAreAnsweredWhileClientsHoldConnections(t *testing.T) {
	listener, open := serveObserve(t)
	for range 2 * observeConnections {
		if _, err := io.WriteString(open(), "GET /metrics HTTP/1.1\r\nHost: a\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if status := request(t, open(), "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if count := listener.count.Load(); count > observeConnections {
		t.Errorf("%d connections are open, want at most %d", count, observeConnections)
	}
}

func TestObserveServerLimitsHeaders(t *testing.T) {
	_, open := serveObserve(t)
	header := "GET /livez HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("a", 2*observeHeaderBytes) + "\r\n\r\n"
	if status := request(t, open(), header); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", status)
	}
}

// A client that neither sends nor reads must not hold a connection forever.
func TestObserveServerHasTimeouts(t *testing.T) {
	server := newObserveServer(prometheus.NewRegistry(), nil)
	if server.ReadTimeout == 0 || server.WriteTimeout == 0 || server.IdleTimeout == 0 {
		t.Errorf("timeouts of %s, %s and %s", server.ReadTimeout, server.WriteTimeout, server.IdleTimeout)
	}
}

// Where there is no certificate, what cert-manager says of it is the reason that helps.
func TestSaysWhyCertManagerHasMadeNone(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	options := certificateOptions{
		source:      certificateFiles,
		certFile:    "tls.crt",
		keyFile:     "tls.key",
		certificate: "serving",
	}
	_, components, err := options.open(&rest.Config{}, "system", prometheus.NewRegistry(), log)
	if err != nil {
		t.Fatal(err)
	}
	const want = "no certificate to serve yet; cert-manager Certificate system/serving has not been read yet"
	if err := components[0].ready(); err == nil || err.Error() != want {
		t.Errorf("ready says %v, want %s", err, want)
	}
}

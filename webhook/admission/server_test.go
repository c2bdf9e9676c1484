package admission

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"
)

// listening serves handler until the test ends, and returns its address and a client that trusts it.
func listening(t testing.TB, handler http.Handler) (address string, client *http.Client) {
	t.Helper()
	return listeningAs(t, startAuthority(t), ServerConfig{Handler: handler})
}

// listeningAs is listening with the certificate of authority, and with more of the config.
func listeningAs(t testing.TB, authority *httptest.Server, config ServerConfig) (address string, client *http.Client) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config.Listener, config.Log = listener, slog.New(slog.DiscardHandler)
	config.GetCertificate = certificateOf(authority)
	go func() { _ = Serve(t.Context(), config) }()
	return listener.Addr().String(), clientOf(authority)
}

// startAuthority starts a server only for its certificate, of example.com.
func startAuthority(t testing.TB) *httptest.Server {
	t.Helper()
	authority := httptest.NewUnstartedServer(nil)
	authority.StartTLS()
	t.Cleanup(authority.Close)
	return authority
}

func certificateOf(authority *httptest.Server) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &authority.TLS.Certificates[0], nil }
}

// clientOf returns a client that trusts the certificate.
func clientOf(authority *httptest.Server) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}, ForceAttemptHTTP2: true,
	}}
}

// dial opens a connection as the client would.
func dial(t *testing.T, address string, client *http.Client) net.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", address, client.Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// await returns when a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	patience := time.After(time.Minute)
	for !holds() {
		select {
		case <-patience:
			t.Fatalf("no %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// uncalled is a handler that no request reaches.
func uncalled(t *testing.T) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("is called") })
}

func TestServeAnswersNothingElse(t *testing.T) {
	address, client := listening(t, uncalled(t))
	response, err := client.Get("https://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("got %s", response.Status)
	}
}

func TestServeKeepsConnections(t *testing.T) {
	address, client := listening(t, newFixture(t).handler)
	for n, body := range []string{reviewOf(plainPod), reviewOf("null"), reviewOf(annotatedPod)} {
		var reused bool
		ctx := httptrace.WithClientTrace(t.Context(),
			&httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+MutatePath+"?timeout=5s",
			strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if reused != (n > 0) || response.Close {
			t.Errorf("request %d: connection reused: %v, to be closed: %v", n, reused, response.Close)
		}
	}
}

func TestServeRejectsLongHeaders(t *testing.T) {
	address, client := listening(t, uncalled(t))
	response, err := client.Post("https://"+address+MutatePath, strings.Repeat("a", 2*maxHeaderBytes),
		strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %s", response.Status)
	}
}

func TestServeRejectsOldTLS(t *testing.T) {
	address, client := listening(t, uncalled(t))
	config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	connection, err := tls.Dial("tcp", address, config)
	if err == nil {
		_ = connection.Close()
		t.Fatal("speaks TLS 1.1")
	}
	if !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("got %v", err)
	}
}

// received is a connection on which the client has sent everything already, and to which no answer matters.
type received struct {
	net.Conn
	sent *strings.Reader
	done chan struct{}
	once sync.Once
}

func (r *received) Read(p []byte) (int, error)     { return r.sent.Read(p) }
func (*received) Write(p []byte) (int, error)      { return len(p), nil }
func (*received) SetDeadline(time.Time) error      { return nil }
func (*received) SetReadDeadline(time.Time) error  { return nil }
func (*received) SetWriteDeadline(time.Time) error { return nil }
func (*received) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*received) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

func (r *received) Close() error {
	r.once.Do(func() { close(r.done) })
	return nil
}

// accepting is a listener for connections that a test makes.
type accepting chan net.Conn

func (c accepting) Accept() (net.Conn, error) { return <-c, nil }
func (accepting) Close() error                { return nil }
func (accepting) Addr() net.Addr              { return &net.TCPAddr{} }

// FuzzConnection sends any bytes, as they come out of TLS. Each connection ends, and none with a panic.
func FuzzConnection(f *testing.F) {
	const head = "POST /mutate-pods?timeout=5s HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\n"
	review := reviewOf(annotatedPod)
	whole := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(review), review)
	for _, seed := range []string{
		whole, whole + whole, whole[:len(whole)-9],
		fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nTrailer: a\r\n\r\n", head,
			len(review), review),
		fmt.Sprintf("%sExpect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", head, len(review), review),
		head + "Content-Length: 99999999\r\n\r\n{", head +
			"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n", "HEAD /mutate-pods HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"POST http://a:b@c/%2e%2e/mutate-pods HTTP/1.1\r\nHost: c\r\nContent-Type: multipart/form-data; " +
			"boundary=x\r\nContent-Length: 9\r\n\r\n--x\r\n\r\na\r\n--x--",
	} {
		f.Add(seed)
	}
	fixture := newFixture(f)
	var problems lockedBuffer
	server := newServer(f.Context(), ServerConfig{Handler: fixture.handler,
		Log: slog.New(slog.NewJSONHandler(&problems, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	listener := make(accepting)
	go func() { _ = server.Serve(listener) }() // until the process ends
	f.Fuzz(func(t *testing.T, sent string) {
		fixture.log.Reset()
		conn := &received{sent: strings.NewReader(sent), done: make(chan struct{})}
		listener <- conn
		<-conn.done
		for _, log := range []string{fixture.log.String(), problems.String()} {
			if strings.Contains(log, "panic") {
				t.Fatalf("panics: %s", log)
			}
		}
		if free := fixture.handler.bodies.free; free != testBodyBytes {
			t.Fatalf("%d bytes of the budget are free, want %d: a body's share has not been given back", free,
				testBodyBytes)
		}
	})
}

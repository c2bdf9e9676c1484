package admission

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// listening serves handler, and returns its address, a client that trusts it, and what stops it and waits until it has.
func listening(t testing.TB, handler http.Handler) (address string, client *http.Client, stop context.CancelFunc, stopped chan error) {
	t.Helper()
	authority := httptest.NewUnstartedServer(nil)
	authority.StartTLS()
	t.Cleanup(authority.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	stopped = make(chan error, 1)
	go func() {
		stopped <- Serve(ctx, ServerConfig{
			Listener:       listener,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &authority.TLS.Certificates[0], nil },
			Handler:        handler,
			Log:            slog.New(slog.DiscardHandler),
		})
	}()
	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}, ForceAttemptHTTP2: true}}
	return listener.Addr().String(), client, stop, stopped
}

func TestServeLetsRequestsInFlightFinish(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	address, client, stop, stopped := listening(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		fmt.Fprint(w, "done")
	}))
	answer := make(chan string, 1)
	go func() {
		response, err := client.Post("https://"+address+MutatePath, "application/json", strings.NewReader("{}"))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		body, _ := io.ReadAll(response.Body)
		answer <- fmt.Sprintf("%s %s", response.Proto, body)
	}()
	<-entered
	stop()
	select {
	case err := <-stopped:
		t.Fatalf("stops with a request in flight: %v", err)
	default:
	}
	close(leave)
	if got := <-answer; got != "HTTP/1.1 done" {
		t.Errorf("got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestServeAnswersNothingElse(t *testing.T) {
	address, client, _, _ := listening(t, http.NotFoundHandler())
	response, err := client.Get("https://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("got %s", response.Status)
	}
}

func TestServeRefusesOldTLS(t *testing.T) {
	address, client, _, _ := listening(t, http.NotFoundHandler())
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

package admission

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// When a server stops, it accepts no more connections. It waits for the requests that it has received.
func TestServeLetsRequestsInFlightFinish(t *testing.T) {
	authority := startAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		entered, leave := make(chan struct{}), make(chan struct{})
		s := serveInMemory(t, authority, ServerConfig{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(entered)
				<-leave
				answerDone(w, r)
			}),
		})
		answer := make(chan string, 1)
		go func() { answer <- s.post() }()
		<-entered
		s.stop()
		time.Sleep(drainTimeout - time.Second)
		synctest.Wait()
		select {
		case err := <-s.stopped:
			t.Errorf("Serve returns %v with a request in flight", err)
			s.stopped <- err
		default:
		}
		if got := s.post(); !strings.HasSuffix(got, syscall.ECONNREFUSED.Error()) {
			t.Errorf("a new request gets %q, want no connection", got)
		}
		close(leave)
		if got := <-answer; got != "HTTP/1.1 done, close: true" {
			t.Errorf("got %q", got)
		}
		if err := <-s.stopped; err != nil {
			t.Error(err)
		}
	})
}

// Clients learn some time later that a server stops. Meanwhile it accepts their connections, each for one request.
func TestServeAcceptsConnectionsForTheShutdownDelay(t *testing.T) {
	const delay = 10 * time.Second
	authority := startAuthority(t)
	synctest.Test(t, func(t *testing.T) {
		s := serveInMemory(t, authority, ServerConfig{Handler: http.HandlerFunc(answerDone), ShutdownDelay: delay})
		if got := s.post(); got != "HTTP/1.1 done, close: false" {
			t.Errorf("before the end: %q", got)
		}
		s.stop()
		time.Sleep(delay - time.Millisecond)
		s.client.CloseIdleConnections() // the next request opens a connection
		if got := s.post(); got != "HTTP/1.1 done, close: true" {
			t.Errorf("within the delay: %q", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := s.post(); !strings.HasSuffix(got, syscall.ECONNREFUSED.Error()) {
			t.Errorf("after the delay: %q", got)
		}
		if err := <-s.stopped; err != nil {
			t.Error(err)
		}
	})
}

func answerDone(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, "done")
}

// inMemory is a server in a synctest bubble, so that a test sees when the server has nothing left to do.
type inMemory struct {
	client  *http.Client
	stop    context.CancelFunc
	stopped chan error // the result of Serve
}

func serveInMemory(t *testing.T, authority *httptest.Server, config ServerConfig) *inMemory {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	listener := &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
	config.Listener, config.Log = listener, slog.New(slog.DiscardHandler)
	config.GetCertificate = certificateOf(authority)
	s := &inMemory{stop: stop, stopped: make(chan error, 1)}
	s.client = clientOf(authority)
	s.client.Transport.(*http.Transport).DialContext = listener.dial
	go func() { s.stopped <- Serve(ctx, config) }()
	return s
}

// post sends a request, and returns what the client sees.
func (s *inMemory) post() string {
	response, err := s.client.Post("https://webhook"+MutatePath, "application/json", strings.NewReader("{}"))
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return fmt.Sprintf("%s %s, close: %v", response.Proto, body, response.Close)
}

// pipes is a listener for connections in memory.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.dialled <- server:
		return client, nil
	case <-p.closed:
		return nil, syscall.ECONNREFUSED
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

package grants_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// If its API server hangs or is gone, a server rejects pods that need new grants. It says why within the five seconds
// that the API server waits for it. Pods whose grants are known to exist are admitted.
func TestUnreachable(t *testing.T) {
	p := newProxy(t)
	s := newSite(t, serverConfig{proxy: p.address})
	namespace := s.namespace(t)
	create(t, newPod(namespace, "default", "net.core.somaxconn"))
	for _, test := range []struct {
		name, sysctl string
		breakIt      func()
		cause        string
	}{
		{"slow", "net.ipv4.tcp_fin_timeout", p.stall, "context deadline exceeded"},
		{"dead", "net.ipv4.tcp_retries2", p.close, "dial tcp " + p.address + ": connect: connection refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.breakIt()
			// The message is the server's own: a late one would be "failed calling webhook". The HTTP client may add
			// to the cause.
			rejectsFor(t, newPod(namespace, "default", test.sysctl),
				`GrantFailed: read service account "default" in namespace "`+namespace+`": `, test.cause)
			create(t, newPod(namespace, "default", "net.core.somaxconn"))
		})
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("the server is not ready, and what it knows is lost to all: %v", err)
	}
}

// proxy forwards bytes to the API server until it is stopped.
type proxy struct {
	address  string
	listener net.Listener

	passing sync.RWMutex // locked for writing while the proxy stalls

	mu          sync.Mutex
	stalled     bool
	connections []net.Conn
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	c := suite.Cluster(t)
	listener, err := c.Listen("tcp", net.JoinHostPort(c.Address().String(), "0"))
	must(t, err)
	p := &proxy{listener: listener, address: listener.Addr().String()}
	t.Cleanup(p.close)
	target := strings.TrimPrefix(c.RESTConfig().Host, "https://")
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := c.Dial(t.Context(), "tcp", target)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.connections = append(p.connections, in, out)
			p.mu.Unlock()
			go p.pass(in, out)
			go p.pass(out, in)
		}
	}()
	return p
}

func (p *proxy) pass(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.passing.RLock()
		_, writeErr := to.Write(buffer[:n])
		p.passing.RUnlock()
		if err != nil || writeErr != nil {
			return
		}
	}
}

// stall keeps every connection open and forwards nothing.
func (p *proxy) stall() {
	p.passing.Lock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = true
}

// close ends every connection, and takes no new one.
func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range p.connections {
		_ = connection.Close()
	}
	p.connections = nil
	if p.stalled {
		p.stalled = false
		p.passing.Unlock()
	}
}

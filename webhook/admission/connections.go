package admission

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many connections are open. At the bound, each new one takes the place of the one whose
// client has been silent for the longest. An API server opens an idle connection again without losing a request, and
// sends a request at once.
type connections struct {
	max int

	mu     sync.Mutex
	open   map[net.Conn]*list.Element // nil while a decision is taken
	silent list.List                  // of net.Conn, silent for the longest first
}

func newConnections(limit int) *connections {
	return &connections{max: limit, open: map[net.Conn]*list.Element{}}
}

// LimitConnections limits how many connections a server has open. It sets the server's ConnState and ConnContext.
func LimitConnections(server *http.Server, limit int) {
	open := newConnections(limit)
	server.ConnState, server.ConnContext = open.track, open.withConn
}

// track is for http.Server.ConnState.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	if state == http.StateNew {
		boundReadBuffer(conn)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(conn)
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.open, conn)
		return
	}
	c.open[conn] = c.silent.PushBack(conn)
	if len(c.open) > c.max {
		oldest := c.silent.Front().Value.(net.Conn)
		c.remove(oldest)
		delete(c.open, oldest)
		_ = underTLS(oldest).Close() // without a last word to the client, which could take time
	}
}

// readBuffer is how much the kernel keeps of what a client has sent and the server has not read; the kernel doubles
// it. That memory counts against the container's limit, and would otherwise grow to 6 MiB for each connection.
const readBuffer = 32 << 10

func boundReadBuffer(conn net.Conn) {
	if tcp, ok := underTLS(conn).(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(readBuffer) // a connection that is closed already
	}
}

func underTLS(conn net.Conn) net.Conn {
	if over, ok := conn.(*tls.Conn); ok {
		return over.NetConn()
	}
	return conn
}

// remove takes a connection from the silent ones.
func (c *connections) remove(conn net.Conn) {
	if element := c.open[conn]; element != nil {
		c.silent.Remove(element)
		c.open[conn] = nil
	}
}

type connKey struct{}

// withConn is for http.Server.ConnContext.
func (c *connections) withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(conn)
	})
}

// complete says that the request of ctx has arrived. Its connection stays open until it is answered.
func complete(ctx context.Context) {
	if keep, ok := ctx.Value(connKey{}).(func()); ok {
		keep()
	}
}

package admission

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
)

func TestConnections(t *testing.T) {
	c := newConnections(3)
	open := func() (server, client net.Conn) {
		server, client = net.Pipe()
		t.Cleanup(func() { _, _ = server.Close(), client.Close() })
		c.track(server, http.StateNew)
		return server, client
	}
	isClosed := func(client net.Conn) bool {
		_, err := client.Read(make([]byte, 1))
		return errors.Is(err, io.EOF)
	}
	deciding, _ := open()
	c.track(deciding, http.StateActive)
	complete(c.withConn(t.Context(), deciding))
	idle, _ := open()
	_, silent := open()
	c.track(idle, http.StateIdle) // after the silent one
	_, fourth := open()
	if !isClosed(silent) {
		t.Error("the connection that is silent for the longest is open")
	}
	if len(c.open) != 3 || c.silent.Len() != 2 {
		t.Errorf("%d are open, %d of them silent, want 3 and 2", len(c.open), c.silent.Len())
	}
	c.track(idle, http.StateClosed)
	_, fifth := open()
	open()
	if !isClosed(fourth) {
		t.Error("the fourth connection is open")
	}
	c.track(deciding, http.StateIdle)
	open()
	if !isClosed(fifth) {
		t.Error("the fifth connection is open")
	}
	if _, open := c.open[deciding]; !open {
		t.Error("the connection of a decision was closed")
	}
}

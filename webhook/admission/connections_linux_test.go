package admission

import (
	"crypto/tls"
	"net"
	"net/http"
	"testing"

	"golang.org/x/sys/unix"
)

// What the kernel keeps of a client's bytes counts against the container's memory limit.
func TestReadBufferIsBounded(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	newConnections(1).track(tls.Server(conn, nil), http.StateNew)
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var size int
	if controlErr := raw.Control(func(fd uintptr) {
		size,
			err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	}); controlErr != nil || err != nil {
		t.Fatal(controlErr, err)
	}
	if size > 2*readBuffer {
		t.Errorf("the kernel keeps up to %d bytes, want at most %d", size, 2*readBuffer)
	}
}

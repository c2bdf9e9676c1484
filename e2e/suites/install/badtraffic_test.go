package install_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// badClients send to every server. Most of them hold their connections for as long as the server lets them.
var badClients = []struct {
	name  string
	count int
	send  func(context.Context, *testing.T, string) error
}{
	// If the server allocated the declared sizes, it would exceed its memory limit.
	{"bodies that take their time", 250, sendSlowBody},
	{"handshakes that stop", 50, sendHalfHandshake},
	{"bodies of 10 MB", 5, sendLargeBody},
	{"garbage", 5, sendGarbage},
}

// sendBadTraffic runs malicious and broken clients against every server at once.
func sendBadTraffic(t *testing.T, l *load) {
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	sent := make([]atomic.Int64, len(badClients))
	former := servers(t, system)
	for _, pod := range former {
		for i, client := range badClients {
			for range client.count {
				working.Go(func() {
					for ctx.Err() == nil {
						_ = client.send(ctx, t, pod.Status.PodIP) // the server is expected to close the connection
						sent[i].Add(1)
						// Clients wait between two bodies, as in e2e/suites/hostile. Otherwise the test would measure
						// how fast this machine makes connections, because the server gives up on a body within 2 s.
						select {
						case <-ctx.Done():
						case <-time.After(time.Second):
						}
					}
				})
			}
		}
	}
	l.flows(t, 2*settled) // as many as before the attack
	stop()
	working.Wait()
	for i, pod := range servers(t, system) {
		if pod.Name != former[i].Name || restarts(pod) != restarts(former[i]) {
			t.Errorf("server %s did not survive it", former[i].Name)
		}
	}
	for i, client := range badClients {
		t.Logf("%s: %d connections", client.name, sent[i].Load())
	}
}

const header = "POST /mutate-pods HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\n" +
	"Content-Length: %d\r\n\r\n"

// sendSlowBody sends a byte now and then until the server closes the connection.
func sendSlowBody(ctx context.Context, t *testing.T, ip string) error {
	conn, err := dialTLS(ctx, t, ip)
	if err != nil {
		return err
	}
	defer closeWith(ctx, conn)()
	if _, err := fmt.Fprintf(conn, header, admission.MaxBodyBytes); err != nil {
		return err
	}
	for {
		if _, err := conn.Write([]byte{' '}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func sendLargeBody(ctx context.Context, t *testing.T, ip string) error {
	conn, err := dialTLS(ctx, t, ip)
	if err != nil {
		return err
	}
	defer closeWith(ctx, conn)()
	const size = 10 << 20
	if _, err := fmt.Fprintf(conn, header, size); err != nil {
		return err
	}
	if _, err := conn.Write(make([]byte, size)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// sendHalfHandshake begins a TLS record and then sends nothing.
func sendHalfHandshake(ctx context.Context, t *testing.T, ip string) error {
	return sendRaw(ctx, t, ip, []byte{0x16, 0x03, 0x01, 0x02, 0x00})
}

func sendGarbage(ctx context.Context, t *testing.T, ip string) error {
	garbage := make([]byte, 4<<10)
	_, _ = rand.Read(garbage) // it never fails
	return sendRaw(ctx, t, ip, garbage)
}

func sendRaw(ctx context.Context, t *testing.T, ip string, content []byte) error {
	conn, err := suite.Cluster(t).Dial(ctx, "tcp", net.JoinHostPort(ip, webhookPort))
	if err != nil {
		return err
	}
	defer closeWith(ctx, conn)()
	if _, err := conn.Write(content); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// closeWith closes a connection when the returned function is called, or when ctx ends.
func closeWith(ctx context.Context, conn net.Conn) (closeIt func()) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return func() {
		stop()
		_ = conn.Close()
	}
}

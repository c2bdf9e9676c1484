package install_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// badClients send to every server. Most of them hold their connections for as long as the server lets them.
var badClients = []struct {
	name  string
	count int
	send  func(context.Context, net.Conn) error
}{
	// If the server allocated the declared sizes, it would exceed its memory limit.
	{"bodies that take their time", 250, sendSlowBody},
	{"handshakes that stop", 50, sendHalfHandshake},
	{"bodies of 10 MB", 5, sendLargeBody},
	{"garbage", 5, sendGarbage},
}

// sendBadTraffic runs malicious and broken clients against every server at once.
func sendBadTraffic(t *testing.T, l *load) {
	former := servers(t, system)
	stop := startAttack(t, former)
	l.flows(t, 2*settled) // as many as before the attack
	stop()
	for i, pod := range servers(t, system) {
		if pod.Name != former[i].Name || restarts(pod) != restarts(former[i]) {
			t.Errorf("server %s did not survive it", former[i].Name)
		}
	}
}

// attackVariable makes this test program a process that runs the bad clients. Its value lists the addresses of the
// servers.
const attackVariable = "SYSCTL_INJECTOR_TEST_ATTACK"

// started is what the process prints when each client has connected.
const started = "every client has connected"

// startAttack starts the bad clients, and returns when each has connected. They run at the lowest priority. On a real
// cluster, clients have processors of their own. Here, they would take so much CPU time from the servers and the API
// server that calls time out, whatever the servers do.
func startAttack(t *testing.T, pods []corev1.Pod) (stop func()) {
	t.Helper()
	var addresses []string
	for _, pod := range pods {
		addresses = append(addresses, net.JoinHostPort(pod.Status.PodIP, webhookPort))
	}
	self, err := os.Executable()
	must(t, err)
	clients := suite.Cluster(t).Command(t.Context(), "nice", "-n", "19", self)
	clients.Env = append(clients.Env, attackVariable+"="+strings.Join(addresses, " "))
	input, err := clients.StdinPipe()
	must(t, err)
	output, err := clients.StdoutPipe()
	must(t, err)
	var problem strings.Builder
	clients.Stderr = &problem
	must(t, clients.Start())
	lines := bufio.NewReader(output)
	wait := func() {
		t.Helper()
		counts, _ := io.ReadAll(lines)
		t.Logf("connections of each kind:\n%s", counts)
		if err := clients.Wait(); err != nil {
			t.Fatalf("the bad clients ended: %v: %s", err, problem.String())
		}
	}
	if line, err := lines.ReadString('\n'); err != nil || line != started+"\n" {
		wait()
		t.Fatalf("the bad clients printed %q, want %q", line, started)
	}
	return func() {
		t.Helper()
		_ = input.Close()
		wait()
	}
}

// attack runs the bad clients until standard input ends, prints their connections, and returns the exit code.
func attack(addresses []string) int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var working, connecting sync.WaitGroup
	sent := make([]atomic.Int64, len(badClients))
	for _, address := range addresses {
		for i, client := range badClients {
			for range client.count {
				connecting.Add(1)
				connected := sync.OnceFunc(connecting.Done)
				working.Go(func() {
					for ctx.Err() == nil {
						// The server is expected to close the connection.
						_ = connect(ctx, address, func(conn net.Conn) error {
							sent[i].Add(1)
							connected()
							return client.send(ctx, conn)
						})
						pauseClient(ctx)
					}
				})
			}
		}
	}
	all := make(chan struct{})
	go func() {
		connecting.Wait()
		close(all)
	}()
	select {
	case <-all:
		fmt.Println(started)
	case <-time.After(patience):
		fmt.Fprintln(os.Stderr, "not every client can connect")
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
	working.Wait()
	for i, client := range badClients {
		fmt.Printf("%s: %d\n", client.name, sent[i].Load())
	}
	return 0
}

// pauseClient waits between two connections of a client, as e2e/suites/hostile does. Otherwise the test would measure
// how fast this machine makes connections, because the server gives up on a body within 2 s.
func pauseClient(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
}

// connect passes a connection to a function. The connection is closed when the function returns or ctx ends.
func connect(ctx context.Context, address string, use func(net.Conn) error) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	return use(conn)
}

const header = "POST /mutate-pods HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\n" +
	"Content-Length: %d\r\n\r\n"

// sendSlowBody sends a byte now and then until the server closes the connection.
func sendSlowBody(ctx context.Context, conn net.Conn) error {
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	if _, err := fmt.Fprintf(secure, header, admission.MaxBodyBytes); err != nil {
		return err
	}
	for {
		if _, err := secure.Write([]byte{' '}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func sendLargeBody(_ context.Context, conn net.Conn) error {
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	const size = 10 << 20
	if _, err := fmt.Fprintf(secure, header, size); err != nil {
		return err
	}
	if _, err := secure.Write(make([]byte, size)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, secure)
	return err
}

// sendHalfHandshake begins a TLS record and then sends nothing.
func sendHalfHandshake(_ context.Context, conn net.Conn) error {
	return sendRaw(conn, []byte{0x16, 0x03, 0x01, 0x02, 0x00})
}

func sendGarbage(_ context.Context, conn net.Conn) error {
	garbage := make([]byte, 4<<10)
	_, _ = rand.Read(garbage) // it never fails
	return sendRaw(conn, garbage)
}

func sendRaw(conn net.Conn, content []byte) error {
	if _, err := conn.Write(content); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	return err
}

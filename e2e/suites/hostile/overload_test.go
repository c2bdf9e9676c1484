package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

const (
	// largest is the largest pod that the API server accepts.
	largest = 3 << 20
	// attackers attack at once, each with one connection.
	attackers = 1000
	// creators create pods at once: no API server handles more mutating requests (--max-mutating-requests-inflight).
	creators = 200
	// goodRequests are sent one after another, before an attack, and again and again while it goes on.
	goodRequests = 100
)

// Clients that reach the port send the requests that take the most memory. The server stays within its memory limit,
// and answers every good request in the end. How long an answer takes depends on the machine, which the attackers share
// with the server, so it is only logged.
func TestMemoryUnderOverload(t *testing.T) {
	for _, attack := range []struct {
		name    string
		clients int64
		send    func(*testing.T, *alone) func(context.Context) error
	}{
		{"bodies of 3 MiB that stop", attackers, stopping(largest)},
		{"bodies of 100 KB that stop", attackers, stopping(100_000)},
		{"bodies of 32 KiB that stop", attackers, stopping(32 << 10)},
		{"pods of 3 MB", creators, largePods},
	} {
		t.Run(attack.name, func(t *testing.T) {
			s := startAlone(t)
			overload(t, s, attack.clients, attack.send(t, s))
		})
	}
}

// stopping sends a body without its last bytes, and waits until the server gives up on it.
func stopping(size int) func(*testing.T, *alone) func(context.Context) error {
	body := bytes.Repeat([]byte{' '}, size-16)
	return func(_ *testing.T, s *alone) func(context.Context) error {
		return func(ctx context.Context) error { return s.send(ctx, size, body) }
	}
}

// largePods sends reviews such as the API server sends when many create pods of 3 MB: some of them plain, others full
// of mistakes.
func largePods(t *testing.T, s *alone) func(context.Context) error {
	var sent atomic.Int64
	bodies := [][]byte{
		largeReview(t, `"env":[`, `{"name":"A%d","value":"b"},`), largeReview(t, `"containers":[`, `{},`),
		largeReview(t, `"containers":[`, `{"name":"sysctl-injector"},`),
		largeReview(t, `"annotations":{`, `"sysctl-injector.dev/%d":"",`), largeReview(t,
			`"annotations":{`, `"a%d":"\n",`),
	}
	return func(ctx context.Context) error {
		body := bodies[int(sent.Add(1))%len(bodies)]
		return s.send(ctx, len(body), body)
	}
}

// send sends a body of a declared size on a connection of its own, and reads until the server ends it.
func (s *alone) send(ctx context.Context, size int, body []byte) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const head = "POST %s?timeout=10s HTTP/1.1\r\nHost: webhook\r\nConnection: close\r\n" +
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
	if _, err := fmt.Fprintf(conn, head, admission.MutatePath, size); err != nil {
		return err
	}
	if _, err := conn.Write(body); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// largeReview returns a review of a pod of the largest size. It repeats each in the pod, after a text that the pod
// contains.
func largeReview(t *testing.T, behind, each string) []byte {
	t.Helper()
	pod := `{"metadata":{"name":"web","annotations":{"sysctl-injector.dev/sysctls":"net.core.somaxconn = ` +
		`1024"}},"spec":{"containers":[{"name":"web","env":[{"name":"A"}]}]}}`
	var all strings.Builder
	for n := 0; all.Len() < largest-4<<10; n++ {
		all.WriteString(strings.ReplaceAll(each, "%d", fmt.Sprint(n)))
	}
	return fmt.Appendf(nil, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1",`+
		`"resource":{"version":"v1","resource":"pods"},`+
		`"namespace":"shop","operation":"CREATE","object":%s}}`, strings.Replace(pod, behind, behind+all.String(), 1))
}

// overload lets attackers send, and each send again a second after it was rejected. It sends good requests until each
// attacker has been rejected once.
func overload(t *testing.T, s *alone, clients int64, send func(context.Context) error) {
	client := s.client()
	before := s.answers(t, client, "small-annotated", goodRequests)
	rest := s.memory(t)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var attempts, attacked atomic.Int64
	all := make(chan struct{})
	for range clients {
		group.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				_ = send(ctx) // the server may close the connection
				attempts.Add(1)
				if first && attacked.Add(1) == clients {
					close(all)
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second): // Retry-After
				}
			}
		})
	}
	var small, large answered
	for isAttacked := true; isAttacked; {
		select {
		case <-all:
			isAttacked = false // ask one last time
		case <-s.Ended():
			t.Fatalf("the server has ended; its log:\n%.2000s", s.Log())
		default:
		}
		small.add(s.answers(t, client, "small-annotated", goodRequests))
		large.add(s.answers(t, client, "large-annotated", goodRequests/10))
	}
	stop()
	group.Wait()
	memory := s.memory(t)
	t.Logf("%d connections, %d attempts: at rest %.0f MiB, at most %.0f MiB, limit %d MiB", clients, attempts.Load(),
		rest.Resident/mebibyte, memory.Peak/mebibyte, memoryLimit/mebibyte)
	t.Logf("good requests before: %s; small ones meanwhile: %s; ones of 60 KB meanwhile: %s", before, small, large)
	if small.busy > 0 {
		t.Errorf("%d small requests were answered with 503, but none needs a share of the budget", small.busy)
	}
}

// answered holds the results of good requests.
type answered struct {
	took []time.Duration
	busy int // how often the answer was 503: try again
	late int // how often the server did not wait for the whole request: it closed the connection, or answered with 408
}

func (a *answered) add(more answered) {
	a.took = append(a.took, more.took...)
	a.busy += more.busy
	a.late += more.late
}

func (a answered) String() string {
	if len(a.took) == 0 {
		return "none answered"
	}
	return fmt.Sprintf("%d answered, p50 %s, p99 %s, at most %s; 503: %d times, too late: %d times", len(a.took),
		report.Median(a.took), report.Percentile(a.took, 99), slices.Max(a.took), a.busy, a.late)
}

func (s *alone) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: s.cluster.Dial, TLSClientConfig: s.tls}}
}

// answers sends requests one after another, each until it is answered. It expects every pod to be allowed.
func (s *alone) answers(t *testing.T, client *http.Client, name string, requests int) answered {
	t.Helper()
	all, err := s.ask(t.Context(), client, name, requests)
	must(t, err)
	return all
}

func (s *alone) ask(ctx context.Context, client *http.Client, name string, requests int) (all answered, err error) {
	body, err := os.ReadFile("../../bench/request/testdata/" + name + ".json")
	if err != nil {
		return all, err
	}
	for range requests {
		begun := time.Now()
		status, answer, err := s.untilAnswered(ctx, client, body, &all)
		if err != nil {
			return all, fmt.Errorf("after %s a %s request has no answer: %w", time.Since(begun), name, err)
		}
		if status != http.StatusOK || !bytes.Contains(answer, []byte(`"allowed":true`)) {
			return all, fmt.Errorf("after %s a %s request is answered with %d %.300s", time.Since(begun), name,
				status, answer)
		}
		all.took = append(all.took, time.Since(begun))
	}
	return all, nil
}

// untilAnswered sends a request again for as long as the server is too busy for it, as the API server and controllers
// do. A server that has ended is an error.
func (s *alone) untilAnswered(ctx context.Context, client *http.Client, body []byte,
	all *answered) (status int, answer []byte, err error) {
	for {
		status, answer, err = s.post(ctx, client, body)
		switch {
		case err != nil, status == http.StatusRequestTimeout:
			all.late++
		case status == http.StatusServiceUnavailable:
			all.busy++
		default:
			return status, answer, nil
		}
		select {
		case <-s.Ended():
			return 0, nil, errors.Join(errors.New("the server has ended"), err)
		case <-ctx.Done():
			return 0, nil, errors.Join(ctx.Err(), err)
		case <-time.After(time.Second): // Retry-After
		}
	}
}

func (s *alone) post(ctx context.Context, client *http.Client, body []byte) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		"https://"+s.Webhook+admission.MutatePath+"?timeout=10s", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// Idle connections that have each sent one good request do not keep new ones out: a new connection replaces the one
// that has been idle for the longest time.
func TestIdleConnectionsLockNobodyOut(t *testing.T) {
	const idle = 2500 // more than the server keeps open
	s := startAlone(t)
	first := s.client()
	s.answers(t, first, "small-annotated", 1)
	clients := make([]*http.Client, idle)
	var group sync.WaitGroup
	next := make(chan int)
	for range 16 {
		group.Go(func() {
			for n := range next {
				clients[n] = s.client()
				if all, err := s.ask(t.Context(), clients[n], "small-annotated", 1); err != nil || all.late > 0 {
					t.Errorf("client %d: %s, error %v", n, all, err)
				}
			}
		})
	}
	for n := range idle {
		next <- n
	}
	close(next)
	group.Wait()
	for n, client := range map[string]*http.Client{"a client from before": first, "a new client": s.client()} {
		all := s.answers(t, client, "small-annotated", 10)
		t.Logf("%s: %s", n, all)
		if all.late > 0 {
			t.Errorf("%s was locked out at first", n)
		}
	}
	for _, client := range clients {
		client.CloseIdleConnections()
	}
	memory := s.memory(t)
	t.Logf("%d idle connections: at most %.0f MiB, limit %d MiB", idle, memory.Peak/mebibyte, memoryLimit/mebibyte)
}

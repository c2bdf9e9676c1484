package admission

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

func TestBudget(t *testing.T) {
	unwanted := func(time.Time) { t.Error("has to give way") }
	t.Run("bodies that take longer than their grace give way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, start := newBudget(10), time.Now()
			var limited []string
			take := func(name string, bytes int64) *share {
				s, ok := b.take(t.Context(), bytes, func(end time.Time) {
					limited = append(limited,
						fmt.Sprint(name, " ", end.Sub(start)))
				})
				if !ok {
					t.Fatalf("%s gets no share", name)
				}
				return s
			}
			first, second := take("first", 5), take("second", 5)
			if b.read(second) {
				t.Error("a body that has arrived gives way")
			}
			go func() {
				synctest.Wait() // until the third waits for memory
				b.release(first)
			}()
			third := take("third", 5)
			if fmt.Sprint(limited) != "[first 500ms]" || !b.read(first) || b.read(third) {
				t.Errorf("limited: %v", limited)
			}
		})
	})
	t.Run("the smallest is next, and then the one that has waited for longest", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBudget(10)
			all, _ := b.take(t.Context(), 10, func(time.Time) {})
			granted := make(chan string, 4)
			var group sync.WaitGroup
			for _, waiting := range []struct {
				name  string
				bytes int64
			}{{"large", 9}, {"first small", 4}, {"second small", 4}, {"smallest", 3}} {
				group.Go(func() {
					s, ok := b.take(t.Context(), waiting.bytes, func(time.Time) {})
					if !ok {
						t.Errorf("%s gets no share", waiting.name)
						return
					}
					b.read(s)
					granted <- waiting.name
					time.Sleep(time.Millisecond)
					b.release(s)
				})
				synctest.Wait()
			}
			b.release(all)
			synctest.Wait()
			if n := len(granted); n != 2 {
				t.Errorf("%d have a share, want 2", n)
			}
			group.Wait()
			var order []string
			for range 4 {
				order = append(order, <-granted)
			}
			if first := order[:2]; !slices.Contains(first, "smallest") || !slices.Contains(first, "first small") ||
				order[2] != "second small" {
				t.Errorf("the order is %q", order)
			}
		})
	})
	t.Run("a body that is complete keeps its share", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBudget(10)
			s, _ := b.take(t.Context(), 10, unwanted)
			if b.read(s) {
				t.Error("is evicted")
			}
			if _, ok := b.take(t.Context(), 1, unwanted); ok {
				t.Error("there is memory for another")
			}
			b.release(s)
			if _, ok := b.take(t.Context(), 10, unwanted); !ok {
				t.Error("there is no memory after the release")
			}
		})
	})
}

// open sends the head of a request with a declared size, and a first part of its body.
func open(t *testing.T, address string, client *http.Client, size int) (answer *bufio.Reader, send func(string)) {
	t.Helper()
	conn := dial(t, address, client)
	send = func(text string) {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Error(err)
		}
	}
	send(fmt.Sprintf("POST %s?timeout=5s HTTP/1.1\r\nHost: webhook\r\nContent-Type: "+
		"application/json\r\nContent-Length: %d\r\n\r\n", MutatePath, size))
	return bufio.NewReader(conn), send
}

// Bodies that never end fill the memory for bodies. They give way to one that is sent at once.
func TestServeInSpiteOfBodiesThatStop(t *testing.T) {
	f := newFixture(t)
	address, client := listening(t, f.handler)
	var stopped []*bufio.Reader
	for range testBodyBytes / MaxBodyBytes {
		answer, send := open(t, address, client, MaxBodyBytes)
		send(" ")
		stopped = append(stopped, answer)
	}
	await(t, "all bodies being read", func() bool {
		f.handler.bodies.mu.Lock()
		defer f.handler.bodies.mu.Unlock()
		return len(f.handler.bodies.reading) == len(stopped)
	})
	body := reviewOf(grown(2 << 20)) // more than the others leave
	response, err := client.Post("https://"+address+MutatePath+"?timeout=5s", "application/json",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("got %s", response.Status)
	}
	first, err := http.ReadResponse(stopped[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Body.Close()
	if first.StatusCode != http.StatusServiceUnavailable || first.Header.Get("Retry-After") == "" || !first.Close {
		t.Errorf("the first body that stopped is answered with %s %v", first.Status, first.Header)
	}
}

// meeting is a Source in which decisions wait for each other.
type meeting struct {
	cluster
	entered chan struct{}
	leave   chan struct{}
}

func (m *meeting) Rules() *policy.Set {
	m.entered <- struct{}{}
	<-m.leave
	return m.cluster.Rules()
}

// Large bodies take turns on the processors. Small ones need none.
func TestLargeBodiesTakeTurns(t *testing.T) {
	f := newFixture(t)
	m := &meeting{cluster: *f.cluster, entered: make(chan struct{}), leave: make(chan struct{})}
	f.handler.Source = m
	large, small := []byte(reviewOf(grown(2*smallBody))), []byte(reviewOf(annotatedPod))
	var group sync.WaitGroup
	answer := func(body []byte) {
		group.Go(func() {
			if _, err := f.handler.Answer(t.Context(), body); err != nil {
				t.Error(err)
			}
		})
	}
	turns := cap(f.handler.turns)
	for range 2 * turns {
		answer(large)
	}
	for range turns {
		<-m.entered
	}
	if taken := len(f.handler.turns); taken != turns {
		t.Errorf("%d large bodies have their turn, want %d", taken, turns)
	}
	answer(small)
	<-m.entered // the small one: no large one can
	select {
	case <-m.entered:
		t.Error("another large body has its turn")
	default:
	}
	go func() {
		for range turns {
			<-m.entered
		}
	}()
	close(m.leave)
	group.Wait()
}

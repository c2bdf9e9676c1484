package install_test

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// load creates annotated pods in several streams, and deletes them again. They name a scheduler that does not exist, so
// no kubelet runs them.
type load struct {
	namespace string
	mu        sync.Mutex
	tally     tally
	done      func()
}

const (
	streams = 4
	// breath is the pause between two pods of a stream. It keeps the load steady, and leaves processor time for the
	// installation.
	breath = 20 * time.Millisecond
	// settled is how many pods follow a disturbance before its count ends.
	settled = 100
)

// tally counts the creations during a period.
type tally struct {
	created    int
	bare       int            // admitted without the injected container
	rejected   map[string]int // by message
	durations  []time.Duration
	blocked    time.Duration // the longest time from a rejection to the next admission
	lastReject time.Time     // the first rejection since the last admission; zero without
	latest     time.Time     // the last rejection; zero without
}

func (l tally) count() int {
	n := l.created
	for _, more := range l.rejected {
		n += more
	}
	return n
}

// startLoad runs until the test ends.
func startLoad(t *testing.T) *load {
	t.Helper()
	l := &load{namespace: makeNamespace(t, "load", enrolled())}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var working sync.WaitGroup
	for range streams {
		working.Go(func() { l.stream(ctx) })
	}
	l.done = sync.OnceFunc(func() {
		cancel()
		working.Wait()
	})
	t.Cleanup(l.done)
	return l
}

func (l *load) stream(ctx context.Context) {
	pods := clientset.CoreV1().Pods(l.namespace)
	for ctx.Err() == nil {
		began := time.Now()
		pod, err := pods.Create(context.WithoutCancel(ctx), loadPod(), metav1.CreateOptions{})
		l.add(began, pod, err)
		if err == nil {
			// An error is ignored: the API server may be unavailable.
			_ = pods.Delete(context.WithoutCancel(ctx), pod.Name,
				metav1.DeleteOptions{GracePeriodSeconds: ptr.To(int64(0))})
		}
		select {
		case <-ctx.Done():
		case <-time.After(breath):
		}
	}
}

func loadPod() *corev1.Pod {
	pod := newPod("", somaxconn)
	pod.GenerateName, pod.Spec.SchedulerName = "load-", "nobody"
	return pod
}

func newPod(name, sysctls string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{v1alpha1.SysctlsAnnotation: sysctls}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To(int64(0)),
			Containers:                    []corev1.Container{{Name: "app", Image: images.App}},
		},
	}
}

func (l *load) add(began time.Time, pod *corev1.Pod, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.tally.durations = append(l.tally.durations, now.Sub(began))
	if err != nil {
		if l.tally.rejected == nil {
			l.tally.rejected = map[string]int{}
		}
		l.tally.rejected[normal(err)]++
		l.tally.latest = now
		if l.tally.lastReject.IsZero() {
			l.tally.lastReject = now
		}
		return
	}
	l.tally.created++
	if len(pod.Spec.InitContainers) != 1 {
		l.tally.bare++
	}
	if !l.tally.lastReject.IsZero() {
		l.tally.blocked = max(l.tally.blocked, now.Sub(l.tally.lastReject))
		l.tally.lastReject = time.Time{}
	}
}

var variable = regexp.MustCompile(`load-\w{5}|\d+\.\d+\.\d+\.\d+(:\d+)?(->\S+:\d+)?`)

// normal removes the variable parts of a message.
func normal(err error) string {
	return variable.ReplaceAllString(strings.Join(strings.Fields(err.Error()), " "), "…")
}

// flows waits until this many more pods have been created.
func (l *load) flows(t *testing.T, pods int) {
	t.Helper()
	wanted := l.created() + pods
	eventually(t, "pods to be created", func(context.Context) error {
		if got := l.created(); got < wanted {
			return shortOf(got, wanted)
		}
		return nil
	})
}

func (l *load) created() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tally.created
}

// during counts the outcomes of creations while a function runs, and for a while after it.
func (l *load) during(t *testing.T, do func()) tally {
	t.Helper()
	l.flows(t, settled/10)
	l.mu.Lock()
	l.tally = tally{}
	l.mu.Unlock()
	do()
	l.flows(t, settled)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tally
}

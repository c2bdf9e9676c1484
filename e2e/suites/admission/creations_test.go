package admission_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// outagePods is how many pods of each kind are created in an outage. The figures in docs/concepts.md are of 96.
var outagePods = flag.Int("outage-pods", 24, "how many pods of each kind are created in an outage")

// outageStreams is how many of them are created at a time.
const outageStreams = 8

// tally counts the outcomes of pods of one kind.
type tally struct {
	created   int
	bare      int // of those, without the injected container
	rejected  []error
	durations []time.Duration // of all of them
}

// creations creates pods that ask for sysctls, or for nothing, several at a time.
func creations(t *testing.T, namespace, sysctls string) tally {
	t.Helper()
	unlimited, err := kubernetes.NewForConfig(clustertest.AdminConfig(suite.Cluster(t)))
	must(t, err)
	var counted tally
	var mu sync.Mutex
	var streams sync.WaitGroup
	for range outageStreams {
		streams.Go(func() {
			for range (*outagePods + outageStreams - 1) / outageStreams {
				began := time.Now()
				pod, err := createBy(t.Context(), unlimited, namespace, sysctls)
				took := time.Since(began)
				mu.Lock()
				counted.add(pod, err, took)
				mu.Unlock()
			}
		})
	}
	streams.Wait()
	return counted
}

// add counts the outcome of one pod.
func (c *tally) add(pod *corev1.Pod, err error, took time.Duration) {
	c.durations = append(c.durations, took)
	switch {
	case err != nil:
		c.rejected = append(c.rejected, err)
	case len(pod.Spec.InitContainers) == 0:
		c.bare++
		fallthrough
	default:
		c.created++
	}
}

func (c *tally) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(c.durations))
	return sorted[int(q*float64(len(sorted)-1))].Round(time.Millisecond)
}

// report is a table of figures, as docs/concepts.md has it.
type report struct{ lines []line }

type line struct {
	what          string
	plain, asking tally
}

func (r *report) measure(what string, plain, asking tally) {
	r.lines = append(r.lines, line{what, plain, asking})
}

// String implements fmt.Stringer.
func (r report) String() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "| what is wrong \t| plain pods \t| rejected \t| p50 \t| p99 "+
		"\t| pods that ask \t| rejected \t| p50 \t| p99 \t|")
	fmt.Fprintln(table, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, l := range r.lines {
		fmt.Fprintf(table, "| %s ", l.what)
		for _, c := range []tally{l.plain, l.asking} {
			fmt.Fprintf(table, "\t| %d \t| %d \t| %s \t| %s ",
				len(c.durations), len(c.rejected), c.quantile(0.5), c.quantile(0.99))
		}
		fmt.Fprintln(table, "\t|")
	}
	_ = table.Flush()
	return text.String()
}

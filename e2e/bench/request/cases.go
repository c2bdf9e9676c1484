package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/process"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
)

// Names of the servers.
const (
	floorName      = "floor"
	standaloneName = "standalone"
	clusterName    = "in a cluster"
	typedName      = "typed"
)

// testdata holds what the command capture has captured; from the root of the checkout.
const testdata = "e2e/bench/request/testdata"

// benchCase is what is asked, and by how many at once.
type benchCase struct {
	size, kind string
	clients    int
	answer     int // bytes of the webhook's answer: the floor gives as many
}

func (c benchCase) path() string { return filepath.Join(testdata, c.size+"-"+c.kind+".json") }

func (c benchCase) String() string {
	return fmt.Sprintf("%s %s, %d clients", c.size, c.kind, c.clients)
}

// readCases lists the cases, the quick ones first.
func readCases() ([]benchCase, error) {
	var cases []benchCase
	for _, size := range []string{"small", "large"} {
		for _, kind := range []string{"annotated", "plain"} {
			for _, clients := range []int{1, 16} {
				c := benchCase{size: size, kind: kind, clients: clients}
				if _, err := os.Stat(c.path()); err != nil {
					return nil, fmt.Errorf("%w; run it from the root of the checkout", err)
				}
				cases = append(cases, c)
			}
		}
	}
	return cases, nil
}

// turn is what was measured of one server in one case and round.
type turn struct {
	of, server        string // the case and the server
	requests          int
	p50, p99          time.Duration
	cpu               time.Duration // of a request
	rate, allocations float64       // requests in a second; allocations of a request
}

// take gives a server its turn.
func (b *bench) take(ctx context.Context, c benchCase, s *server) error {
	if err := os.Truncate(s.log, 0); err != nil {
		return err
	}
	if _, err := b.send(c, s, b.turn/8); err != nil { // that all connections are open, and its memory in the caches
		return err
	}
	// The processor time is read last before and first after, as to be asked for metrics takes some too.
	before, err := process.Metrics(ctx, b.cluster.Dial, s.observe)
	if err != nil {
		return err
	}
	start, err := s.process.CPU()
	if err != nil {
		return err
	}
	result, err := b.send(c, s, b.turn)
	if err != nil {
		return err
	}
	end, err := s.process.CPU()
	if err != nil {
		return err
	}
	after, err := process.Metrics(ctx, b.cluster.Dial, s.observe)
	if err != nil {
		return err
	}
	n := float64(len(result.Latencies))
	b.turns = append(b.turns, turn{
		of: c.String(), server: s.name, requests: len(result.Latencies),
		p50: report.Median(result.Latencies), p99: report.Percentile(result.Latencies, 99),
		cpu: time.Duration(float64(end-start) / n), rate: n / result.Elapsed.Seconds(),
		allocations: (after["go_memstats_mallocs_total"] - before["go_memstats_mallocs_total"]) / n,
	})
	return nil
}

// sameInjection makes sure that what is compared does the same, and notes how long the answers are.
func (b *bench) sameInjection() error {
	for n := range b.cases {
		c := &b.cases[n]
		pods := map[string]corev1.Pod{}
		for _, s := range b.servers[1:] { // but for the floor
			result, err := b.send(*c, s, time.Millisecond)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, c, err)
			}
			if s.name == clusterName {
				c.answer = len(result.Answer)
			}
			if pods[s.name], err = patched(c.path(), result.Answer); err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, c, err)
			}
		}
		ours := pods[clusterName]
		for name, pod := range pods {
			if diff := cmp.Diff(ours, pod); diff != "" {
				return fmt.Errorf("%s: the webhook and %s do not do the same (-webhook +%[2]s):\n%s", c, name, diff)
			}
		}
		if injected := len(ours.Spec.InitContainers) == 1; injected != (c.kind == "annotated") {
			return fmt.Errorf("%s: is injected: %t", c, injected)
		}
	}
	return nil
}

// patched is the pod of a review with the patch of the answer to it.
func patched(path string, answer []byte) (pod corev1.Pod, err error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return pod, err
	}
	var asked, answered admissionv1.AdmissionReview
	if err := errors.Join(json.Unmarshal(body, &asked), json.Unmarshal(answer, &answered)); err != nil {
		return pod, err
	}
	if answered.Response == nil || !answered.Response.Allowed {
		return pod, fmt.Errorf("rejects the pod: %s", answer)
	}
	raw := asked.Request.Object.Raw
	if answered.Response.Patch != nil {
		patch, err := jsonpatch.DecodePatch(answered.Response.Patch)
		if err != nil {
			return pod, err
		}
		if raw, err = patch.Apply(raw); err != nil {
			return pod, err
		}
	}
	return pod, json.Unmarshal(raw, &pod)
}

func (b *bench) readMemory() (err error) {
	for _, s := range b.servers {
		if s.memory, err = s.process.Memory(); err != nil {
			return err
		}
	}
	return nil
}

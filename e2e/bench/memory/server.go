package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/process"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// server is the one server of the cluster.
type server struct {
	installed *installation.Installation
	client    *kubernetes.Clientset
	cluster   *cluster.Cluster
}

// figures are what a server takes of the machine: bytes, and seconds of processor time since its start.
type figures struct {
	process.Memory
	Heap, Processor float64
}

func newServer(c *cluster.Cluster, installed *installation.Installation, client *kubernetes.Clientset) *server {
	return &server{installed: installed, client: client, cluster: c}
}

// restart ends the server as a kubelet does and starts another. It returns how long that one took to be ready.
func (s *server) restart(ctx context.Context) (time.Duration, error) {
	before, err := s.leader(ctx)
	if err != nil {
		return 0, err
	}
	// A server that terminates releases the Lease, so that the next one leads at once. Only the leader watches pods.
	stopping := s.installed.Server()
	if err := stopping.Terminate(); err != nil {
		return 0, fmt.Errorf("stop the server: %w", err)
	}
	if err := stopping.Wait(30 * time.Second); err != nil {
		return 0, fmt.Errorf("stop the server: %w", err)
	}
	start := time.Now()
	if err := s.installed.Restart(ctx); err != nil {
		return 0, err
	}
	elapsed := time.Since(start)
	err = await.Condition(ctx, "the server to lead", 100*time.Millisecond, time.Minute,
		func(ctx context.Context) (bool, error) {
			now, err := s.leader(ctx)
			return now != "" && now != before, err
		})
	if err != nil {
		return 0, err
	}
	return elapsed, nil
}

// leader returns the holder of the Lease, or "" if it has none.
func (s *server) leader(ctx context.Context) (string, error) {
	lease, err := s.client.CoordinationV1().Leases(installation.Namespace).Get(ctx, installation.Name,
		metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read the Lease: %w", err)
	}
	return ptr.Deref(lease.Spec.HolderIdentity, ""), nil
}

// whenIdle waits until the server has nothing more to do and measures it.
func (s *server) whenIdle(ctx context.Context) (figures, error) {
	const (
		pause = time.Second
		still = 3    // pauses in a row: repairs begin a second after a pod has come
		quiet = 0.03 // seconds of processor time in a pause: to renew a Lease and to be asked for metrics takes less
	)
	var metrics map[string]float64
	calm, used := 0, -1.0
	err := await.Condition(ctx, "the server to have nothing to do", pause, 2*time.Minute,
		func(ctx context.Context) (done bool, err error) {
			if metrics, err = s.metrics(ctx); err != nil {
				return false, err
			}
			now := metrics["process_cpu_seconds_total"]
			calm++
			if used < 0 || now-used > quiet {
				calm = 0
			}
			used = now
			return calm == still, nil
		})
	if err != nil {
		return figures{}, err
	}
	memory, err := s.memory()
	return figures{Memory: memory, Heap: metrics["go_memstats_heap_inuse_bytes"],
		Processor: metrics["process_cpu_seconds_total"]}, err
}

// metrics are the server's, but for those with labels.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	values, err := process.Metrics(ctx, s.cluster.Dial, s.installed.Server().Observe)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"process_cpu_seconds_total", "go_memstats_heap_inuse_bytes", durationMetric + "_sum",
		durationMetric + "_count"} {
		if _, there := values[name]; !there {
			return nil, fmt.Errorf("the server has no metric %s", name)
		}
	}
	return values, nil
}

// memory returns the kernel's figures of the process. Its program is in a directory of this run.
func (s *server) memory() (process.Memory, error) {
	p, err := process.Find(s.installed.Program)
	if err != nil {
		return process.Memory{}, err
	}
	return p.Memory()
}

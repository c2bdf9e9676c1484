package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/workload"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

type bench struct {
	options
	progress io.Writer
	client   *kubernetes.Clientset
	server   *server

	states        []state
	first, last   latency // on the empty cluster, and with all pods
	grants        int     // RoleBindings, at the end
	othersElapsed time.Duration
	ourElapsed    time.Duration
	again         atomic.Int64 // creations that failed and were tried again
}

// state is a row of the table: what the server takes in one state of the cluster.
type state struct {
	name    string
	figures figures
	started time.Duration // until ready; 0 where the server had run before
}

// The rows that are compared, by their place.
const (
	emptyRow = iota
	loadRow
	othersRunningRow
	othersRow
)

func newBench(c *cluster.Cluster, installed *installation.Installation, o options, progress io.Writer) (*bench, error) {
	config := clustertest.AdminConfig(c)
	// With protobuf, the machine spends its time on the server and not on this client's JSON.
	config.ContentType, config.AcceptContentTypes = "application/vnd.kubernetes.protobuf",
		"application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &bench{options: o, progress: progress, client: client, server: newServer(c, installed, client)}, nil
}

// run goes from the empty cluster to the full one.
func (b *bench) run(ctx context.Context) error {
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"the empty cluster", b.empty},
		{"a load of admissions", b.load},
		{"pods that are not injected", b.others},
		{"injected pods and their grants", b.ours},
	} {
		fmt.Fprintf(b.progress, "%s: %s\n", time.Now().Format(time.TimeOnly), step.what)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

func (b *bench) empty(ctx context.Context) (err error) {
	if err := b.makeNamespaces(ctx, []string{loadNamespace}, enrolled); err != nil {
		return err
	}
	if err := b.makeNamespaces(ctx, []string{plainNamespace}, nil); err != nil {
		return err
	}
	if err := b.addRestarted(ctx, "empty cluster, after a start"); err != nil {
		return err
	}
	b.first, err = b.measureLatency(ctx)
	return err
}

func (b *bench) load(ctx context.Context) error {
	if err := b.admit(ctx, b.admissions); err != nil {
		return err
	}
	return b.addRunning(ctx, fmt.Sprintf("the same server after %d admissions", b.admissions))
}

func (b *bench) others(ctx context.Context) (err error) {
	if b.othersElapsed, err = b.fill(ctx, "other", nil); err != nil {
		return err
	}
	name := fmt.Sprintf("%d pods not injected", b.namespaces*b.pods)
	if err := b.addRunning(ctx, name+", the same server"); err != nil {
		return err
	}
	return b.addRestarted(ctx, name+", after a start")
}

func (b *bench) ours(ctx context.Context) (err error) {
	if b.ourElapsed, err = b.fill(ctx, "injected", enrolled); err != nil {
		return err
	}
	name := fmt.Sprintf("%d injected pods besides", b.namespaces*b.pods)
	if err := b.addRunning(ctx, name+", the same server"); err != nil {
		return err
	}
	if err := b.addRestarted(ctx, name+", after a start"); err != nil {
		return err
	}
	// Counted last: the repairs have passed by then.
	if b.grants, err = b.countGrants(ctx); err != nil {
		return err
	}
	if want := b.namespaces * len(workload.Sysctls); b.grants != want {
		return fmt.Errorf("there are %d role bindings, and the pods need %d", b.grants, want)
	}
	b.last, err = b.measureLatency(ctx)
	return err
}

// addRunning adds a row of the server as it runs, once it has nothing more to do.
func (b *bench) addRunning(ctx context.Context, name string) error {
	figures, err := b.server.whenIdle(ctx)
	b.states = append(b.states, state{name: name, figures: figures})
	return err
}

// addRestarted adds a row of a server that has filled its caches from lists: the median of several.
func (b *bench) addRestarted(ctx context.Context, name string) error {
	var all []figures
	var started []time.Duration
	for range b.restarts {
		elapsed, err := b.server.restart(ctx)
		if err != nil {
			return err
		}
		f, err := b.server.whenIdle(ctx)
		if err != nil {
			return err
		}
		all, started = append(all, f), append(started, elapsed)
	}
	b.states = append(b.states, state{name, medians(all), report.Median(started)})
	return nil
}

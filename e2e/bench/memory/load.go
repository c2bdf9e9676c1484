package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/report"
	"github.com/sysctl-injector/sysctl-injector/e2e/bench/workload"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	concurrency    = 16
	loadNamespace  = "load"  // enrolled
	plainNamespace = "plain" // not
	durationMetric = "sysctl_injector_admission_duration_seconds"
)

var (
	enrolled = map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}
	dryRun   = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
)

// makeNamespaces returns when pods can be created in them.
func (b *bench) makeNamespaces(ctx context.Context, names []string, labels map[string]string) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for _, name := range names {
		group.Go(func() error {
			_, err := clustertest.MakeNamespace(groupCtx, b.client, metav1.ObjectMeta{Name: name, Labels: labels})
			return err
		})
	}
	return group.Wait()
}

// fill makes namespaces with these labels and creates the pods in them. It returns how long the pods took.
func (b *bench) fill(ctx context.Context, prefix string, labels map[string]string) (time.Duration, error) {
	var names []string
	for n := range b.namespaces {
		names = append(names, fmt.Sprintf("%s-%d", prefix, n))
	}
	if err := b.makeNamespaces(ctx, names, labels); err != nil {
		return 0, err
	}
	start := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for _, name := range names {
		group.Go(func() error {
			for range b.pods {
				if err := b.createPod(groupCtx, name, labels != nil); err != nil {
					return fmt.Errorf("namespace %s: %w", name, err)
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return time.Since(start), err
}

// createPod creates a pod and makes sure that it was injected, or that it was not.
func (b *bench) createPod(ctx context.Context, namespace string, injected bool) error {
	const attempts = 4 // where the machine is busy, the API server may not wait long enough for an answer
	var errs []error
	for range attempts {
		pod, err := b.client.CoreV1().Pods(namespace).Create(ctx, workload.NewPod(true), metav1.CreateOptions{})
		if err == nil {
			return isInjected(pod, injected)
		}
		if errs = append(errs, err); ctx.Err() != nil {
			break
		}
		b.again.Add(1)
	}
	return errors.Join(errs...)
}

func isInjected(pod *corev1.Pod, wanted bool) error {
	if is := len(pod.Spec.InitContainers) == 1 && pod.Labels[v1alpha1.InjectedLabel] == "true"; is != wanted {
		return fmt.Errorf("a pod in namespace %s is injected: %t", pod.Namespace, is)
	}
	return nil
}

// admit lets the server decide on a number of pods in dry runs.
func (b *bench) admit(ctx context.Context, count int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for range count {
		group.Go(func() error {
			pod, err := b.client.CoreV1().Pods(loadNamespace).Create(ctx, workload.NewPod(true), dryRun)
			if err != nil {
				return err
			}
			return isInjected(pod, true)
		})
	}
	return group.Wait()
}

func (b *bench) countGrants(ctx context.Context) (int, error) {
	selector := metav1.ListOptions{LabelSelector: v1alpha1.ManagedByLabel + "=" + v1alpha1.ManagedBy}
	bindings, err := b.client.RbacV1().RoleBindings(metav1.NamespaceAll).List(ctx, selector)
	if err != nil {
		return 0, err
	}
	return len(bindings.Items), nil
}

// latency is what one client sees of a dry-run creation.
type latency struct {
	plain, injected time.Duration // p50
	own             time.Duration // of the server for each, by its own count: the mean
}

// measureLatency creates pods in turns where the webhook is called and where it is not, so that both see the same
// machine.
func (b *bench) measureLatency(ctx context.Context) (latency, error) {
	const warmUp, count = 50, 500
	durations := map[string][]time.Duration{}
	var before map[string]float64
	for n := range warmUp + count {
		if n == warmUp {
			var err error
			if before, err = b.server.metrics(ctx); err != nil {
				return latency{}, err
			}
			clear(durations)
		}
		for _, namespace := range []string{plainNamespace, loadNamespace} {
			start := time.Now()
			pod, err := b.client.CoreV1().Pods(namespace).Create(ctx, workload.NewPod(true), dryRun)
			if err != nil {
				return latency{}, err
			}
			durations[namespace] = append(durations[namespace], time.Since(start))
			if err := isInjected(pod, namespace == loadNamespace); err != nil {
				return latency{}, err
			}
		}
	}
	after, err := b.server.metrics(ctx)
	if err != nil {
		return latency{}, err
	}
	added := func(suffix string) float64 { return after[durationMetric+suffix] - before[durationMetric+suffix] }
	return latency{
		plain: report.Median(durations[plainNamespace]), injected: report.Median(durations[loadNamespace]),
		own: time.Duration(added("_sum") / added("_count") * float64(time.Second)),
	}, nil
}

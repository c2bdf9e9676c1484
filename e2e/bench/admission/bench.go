package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/workload"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const patience = 30 * time.Second

// policyYAML is a MutatingAdmissionPolicy and its binding.
//
//go:embed policy.yaml
var policyYAML []byte

// clientCounts are how many create pods at a time.
var clientCounts = []int{1, 16}

// mutator is what changes pods while a case has its turn.
type mutator int

const (
	nobody mutator = iota
	webhook
	policy
	oneEntry // the webhook, called for every pod by one entry
	rendered // the policies of `sysctl-injector render mutating-policy`, which also check what they inject
)

// turn is one case with its measurements.
type turn struct {
	name      string
	mutator   mutator
	namespace string
	annotated bool
	metric    metric // of the API server, for the mutator's part

	measured map[int]*measured // by the number of clients
}

// measured holds the measurements with one number of clients.
type measured struct {
	durations []time.Duration // of each creation
	cost      cost            // by the metric
}

type bench struct {
	options
	cluster *cluster.Cluster
	client  *kubernetes.Clientset
	turns   []*turn
	webhook *admissionregistrationv1.MutatingWebhookConfiguration
	single  *admissionregistrationv1.MutatingWebhookConfiguration // with one entry
	policy  *admissionregistrationv1.MutatingAdmissionPolicy
	binding *admissionregistrationv1.MutatingAdmissionPolicyBinding
	// rendered is a manifest.
	rendered []byte
	now      mutator
}

func newBench(ctx context.Context, c *cluster.Cluster, program string, o options) (*bench, error) {
	client, err := kubernetes.NewForConfig(clustertest.AdminConfig(c))
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, cluster: c, client: client, now: webhook,
		policy:  &admissionregistrationv1.MutatingAdmissionPolicy{},
		binding: &admissionregistrationv1.MutatingAdmissionPolicyBinding{}}
	first, second, _ := bytes.Cut(policyYAML, []byte("\n---\n"))
	if err := errors.Join(yaml.UnmarshalStrict(first, b.policy), yaml.UnmarshalStrict(second, b.binding)); err != nil {
		return nil, fmt.Errorf("read policy.yaml: %w", err)
	}
	if b.rendered, err = exec.CommandContext(ctx, program, "render", "mutating-policy").Output(); err != nil {
		return nil, fmt.Errorf("render the policies: %w", err)
	}
	if b.webhook, err = client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, installation.Name,
		metav1.GetOptions{}); err != nil {
		return nil, err
	}
	b.webhook.ResourceVersion, b.webhook.UID = "", ""
	b.single = b.webhook.DeepCopy()
	b.single.Webhooks = b.single.Webhooks[:1]
	b.single.Webhooks[0].MatchConditions = nil
	b.turns = []*turn{
		{name: "no webhook", mutator: nobody, namespace: "bench-nobody", annotated: true},
		{name: "MutatingAdmissionPolicy", mutator: policy, namespace: "bench-policy", annotated: true,
			metric: policyMetric},
		{name: "webhook, annotated", mutator: webhook, namespace: "bench-webhook", annotated: true,
			metric: webhookMetric},
		{name: "webhook, no annotation", mutator: webhook, namespace: "bench-webhook", metric: webhookMetric},
		{name: "webhook, not enrolled", mutator: webhook, namespace: "bench-nobody", annotated: true,
			metric: webhookMetric},
		{name: "one entry, annotated", mutator: oneEntry, namespace: "bench-webhook", annotated: true,
			metric: webhookMetric},
		{name: "one entry, no annotation", mutator: oneEntry, namespace: "bench-webhook", metric: webhookMetric},
		{name: "render mutating-policy, annotated", mutator: rendered, namespace: "bench-webhook", annotated: true,
			metric: renderedMetric},
		{name: "render mutating-policy, no annotation", mutator: rendered, namespace: "bench-webhook",
			metric: renderedMetric},
	}
	for _, t := range b.turns {
		t.measured = map[int]*measured{}
	}
	for name, labels := range map[string]map[string]string{
		"bench-nobody":  nil,
		"bench-policy":  {"example.com/bench": "policy"},
		"bench-webhook": {v1alpha1.InjectLabel: v1alpha1.InjectEnabled},
	} {
		_, err := clustertest.MakeNamespace(ctx, client, metav1.ObjectMeta{Name: name, Labels: labels})
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// sameInjection makes sure that what is compared does the same.
func (b *bench) sameInjection(ctx context.Context) error {
	pods := map[mutator]*corev1.Pod{}
	for _, turn := range b.turns {
		if turn.mutator == nobody || !turn.annotated || pods[turn.mutator] != nil {
			continue
		}
		if err := b.enable(ctx, turn.mutator); err != nil {
			return err
		}
		pod, err := b.client.CoreV1().Pods(turn.namespace).Create(ctx, workload.NewPod(turn.annotated), dryRun)
		if err != nil {
			return fmt.Errorf("%s: %w", turn.name, err)
		}
		for i := range pod.Spec.InitContainers {
			pod.Spec.InitContainers[i].VolumeMounts = nil // named at random
		}
		pods[turn.mutator] = pod
	}
	for _, other := range []mutator{policy, rendered} {
		ours, theirs := pods[webhook], pods[other]
		if diff := cmp.Diff(ours.Spec.InitContainers, theirs.Spec.InitContainers) +
			cmp.Diff(len(ours.Labels), len(theirs.Labels)) +
			cmp.Diff(ours.Annotations, theirs.Annotations); diff != "" {
			return fmt.Errorf("the policy does not do what the webhook does (-webhook +policy):\n%s", diff)
		}
	}
	return nil
}

var dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}

// enable puts one mutator in force and no other.
func (b *bench) enable(ctx context.Context, wanted mutator) error {
	if b.now == wanted {
		return nil
	}
	if b.now != nobody && wanted != nobody {
		// The two configurations of the webhook have the same effect, so the wait below cannot tell them apart.
		if err := b.enable(ctx, nobody); err != nil {
			return err
		}
	}
	api := b.client.AdmissionregistrationV1()
	var errs []error
	switch b.now {
	case webhook, oneEntry:
		errs = append(errs, api.MutatingWebhookConfigurations().Delete(ctx, b.webhook.Name, metav1.DeleteOptions{}))
	case policy:
		errs = append(errs, api.MutatingAdmissionPolicyBindings().Delete(ctx, b.binding.Name, metav1.DeleteOptions{}),
			api.MutatingAdmissionPolicies().Delete(ctx, b.policy.Name, metav1.DeleteOptions{}))
	case rendered:
		errs = append(errs, b.kubectl(ctx, "delete", "-f", "-"))
	}
	switch wanted {
	case webhook:
		_, err := api.MutatingWebhookConfigurations().Create(ctx, b.webhook, metav1.CreateOptions{})
		errs = append(errs, err)
	case oneEntry:
		_, err := api.MutatingWebhookConfigurations().Create(ctx, b.single, metav1.CreateOptions{})
		errs = append(errs, err)
	case policy:
		_, err := api.MutatingAdmissionPolicies().Create(ctx, b.policy, metav1.CreateOptions{})
		_, bindErr := api.MutatingAdmissionPolicyBindings().Create(ctx, b.binding, metav1.CreateOptions{})
		errs = append(errs, err, bindErr)
	case rendered:
		errs = append(errs, b.kubectl(ctx, "apply", "--server-side", "-f", "-"))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	b.now = wanted
	for namespace, injects := range map[string]bool{"bench-webhook": wanted != nobody && wanted != policy,
		"bench-policy": wanted == policy} {
		// The API server learns of it a moment later.
		var last error
		err := await.Condition(ctx, "the API server to apply the change", 20*time.Millisecond, patience,
			func(ctx context.Context) (bool, error) {
				pod, err := b.client.CoreV1().Pods(namespace).Create(ctx, workload.NewPod(true), dryRun)
				if ctx.Err() == nil {
					last = err
				}
				return err == nil && (len(pod.Spec.InitContainers) > 0) == injects, nil
			})
		if err != nil {
			return errors.Join(err, last)
		}
	}
	return nil
}

// kubectl runs kubectl with the rendered policies as its input.
func (b *bench) kubectl(ctx context.Context, args ...string) error {
	_, err := b.cluster.Kubectl(ctx, string(b.rendered), args...)
	return err
}

// take gives a case its turn, with one number of clients after the other.
func (b *bench) take(ctx context.Context, t *turn) error {
	if err := b.enable(ctx, t.mutator); err != nil {
		return err
	}
	for _, clients := range clientCounts {
		if _, err := b.create(ctx, t, clients, b.warmUp); err != nil {
			return err
		}
		before, err := t.metric.read(ctx, b.client)
		if err != nil {
			return err
		}
		durations, err := b.create(ctx, t, clients, b.pods)
		if err != nil {
			return err
		}
		after, err := t.metric.read(ctx, b.client)
		if err != nil {
			return err
		}
		if t.measured[clients] == nil {
			t.measured[clients] = &measured{}
		}
		m := t.measured[clients]
		m.durations, m.cost = append(m.durations, durations...), m.cost.plus(after.minus(before))
		err = b.client.CoreV1().Pods(t.namespace).DeleteCollection(ctx,
			metav1.DeleteOptions{GracePeriodSeconds: ptr.To(int64(0))}, metav1.ListOptions{})
		if err != nil {
			return err
		}
	}
	return nil
}

// create lets clients create pods, and returns how long each took.
func (b *bench) create(ctx context.Context, t *turn, clients, count int) ([]time.Duration, error) {
	durations := make([]time.Duration, count)
	pod := workload.NewPod(t.annotated)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range clients {
		group.Go(func() error {
			for n := int(next.Add(1)) - 1; n < count; n = int(next.Add(1)) - 1 {
				start := time.Now()
				if _, err := b.client.CoreV1().Pods(t.namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
					return err
				}
				durations[n] = time.Since(start)
			}
			return nil
		})
	}
	return durations, group.Wait()
}

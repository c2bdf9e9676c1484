//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const patience = time.Minute

type bench struct {
	cluster *cluster.Cluster
	client  *kubernetes.Clientset
	kinds   []*kind
	events  *os.File // containerd's
}

func newBench(ctx context.Context, c *cluster.Cluster) (*bench, error) {
	client, err := kubernetes.NewForConfig(clustertest.AdminConfig(c))
	if err != nil {
		return nil, err
	}
	b := &bench{cluster: c, client: client, kinds: kinds()}
	_, err = clustertest.MakeNamespace(ctx, client, metav1.ObjectMeta{Name: guarded, Labels: map[string]string{
		v1alpha1.InjectLabel: v1alpha1.InjectEnabled, v1alpha1.EnforceLabel: "restricted"}})
	if err != nil {
		return nil, err
	}
	// A pod that is not injected would measure nothing.
	pod := newPod()
	pod.GenerateName = "first-"
	annotated(pod)
	created, err := client.CoreV1().Pods(guarded).Create(ctx, pod,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil && len(created.Spec.InitContainers) != 1 {
		err = fmt.Errorf("a pod has %d init containers instead of the injected one", len(created.Spec.InitContainers))
	}
	return b, err
}

// clear deletes all pods and waits until they are gone.
func (b *bench) clear(ctx context.Context) error {
	pods := b.client.CoreV1().Pods(guarded)
	if err := pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: ptr.To(int64(0))},
		metav1.ListOptions{}); err != nil {
		return err
	}
	return await.Condition(ctx, "the end of the pods", 20*time.Millisecond, patience,
		func(ctx context.Context) (bool, error) {
			left, err := pods.List(ctx, metav1.ListOptions{})
			return err == nil && len(left.Items) == 0, err
		})
}

// measure starts the pods, one at a time, each kind in its turn, and then reads what the node has logged of them.
func (b *bench) measure(ctx context.Context, rounds int, progress io.Writer) error {
	if err := b.follow(ctx); err != nil {
		return err
	}
	began := time.Now()
	// The first round is for the caches, and does not count.
	for round := range rounds + 1 {
		if round > 0 {
			fmt.Fprintf(progress, "round %d of %d, after %s\n", round, rounds, time.Since(began).Round(time.Second))
		}
		for turn := range b.kinds {
			number := (turn + round) % len(b.kinds)
			kind := b.kinds[number]
			// The kubelet looks at its containers once a second. A pause that is another each time keeps the pods
			// from falling into step with that.
			pause := math.Mod(float64(round*len(b.kinds)+turn)*math.Phi, 1)
			if err := sleep(ctx, time.Duration(pause*float64(time.Second))); err != nil {
				return err
			}
			t, err := b.start(ctx, kind, fmt.Sprintf("k%d-%d", number, round))
			if err != nil {
				return fmt.Errorf("%s: %w", kind.name, err)
			}
			if round > 0 {
				kind.timelines = append(kind.timelines, t)
			}
		}
		if err := b.clear(ctx); err != nil {
			return err
		}
	}
	return b.readLogs()
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// follow writes containerd's events to a file until the node ends.
func (b *bench) follow(ctx context.Context) (err error) {
	if b.events, err = os.CreateTemp("", "events-*"); err != nil {
		return err
	}
	// The file needs no name. It is deleted when the last program that has it open ends.
	if err := os.Remove(b.events.Name()); err != nil {
		return err
	}
	command := b.cluster.NodeCommand(ctx, "ctr", "--namespace=k8s.io", "events")
	command.Stdout = b.events
	return command.Start()
}

// start makes a pod and waits until the API server says that its app runs.
func (b *bench) start(ctx context.Context, kind *kind, name string) (timeline, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pods := b.client.CoreV1().Pods(guarded)
	pod := newPod()
	pod.Name = name
	kind.tweak(pod)
	// The watch may begin at any version: the pod does not exist yet.
	watcher, err := pods.Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(), ResourceVersion: "0",
	})
	if err != nil {
		return timeline{}, err
	}
	defer watcher.Stop()
	t := timeline{pod: guarded + "/" + name, create: time.Now()}
	if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return t, err
	}
	t.created = time.Now()
	for event := range watcher.ResultChan() {
		if event.Type == watch.Error {
			return t, fmt.Errorf("watch pod %s: %w", t.pod, apierrors.FromObject(event.Object))
		}
		found, isPod := event.Object.(*corev1.Pod)
		if !isPod || len(found.Status.ContainerStatuses) == 0 ||
			found.Status.ContainerStatuses[0].State.Running == nil {
			continue
		}
		t.known = time.Now()
		t.app.id = containerID(found.Status.ContainerStatuses[0])
		for _, status := range found.Status.InitContainerStatuses {
			t.init.id = containerID(status)
		}
		return t, nil
	}
	return t, fmt.Errorf("pod %s does not run after %s", t.pod, patience)
}

func containerID(status corev1.ContainerStatus) string {
	return strings.TrimPrefix(status.ContainerID, "containerd://")
}

package admission_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/events"
	"github.com/sysctl-injector/sysctl-injector/webhook/status"
)

// swappiness and its rejection: on this cluster no pod has a kernel of its own.
const (
	swappiness         = "vm.swappiness = 10"
	rejectedSwappiness = "NodeLevel: " + annotation +
		"Forbidden: line 1: vm.swappiness is node-level: it would change the node and every pod on it. An " +
		"administrator can set it on the node, or the pod can run under a RuntimeClass that gives it a kernel of its " +
		"own (Kata Containers, for one)"
)

// summary holds the fields of an Event that the tests compare.
type summary struct{ Object, Related, Action, Note string }

// eventsOf are the Events that the server has written about objects of a namespace.
func eventsOf(ctx context.Context, namespace string) ([]summary, error) {
	list, err := client.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var found []summary
	for _, event := range list.Items {
		if event.ReportingController == events.Controller {
			found = append(found, summary{event.Regarding.Kind + "/" + event.Regarding.Name, event.Related.Kind,
				event.Action, event.Note})
		}
	}
	return found, nil
}

// awaitEvents waits until the server has written as many Events, and compares them.
func awaitEvents(t *testing.T, namespace string, want ...summary) {
	t.Helper()
	var got []summary
	eventually(t, fmt.Sprintf("%d Events", len(want)), func(ctx context.Context) (done bool, err error) {
		got, err = eventsOf(ctx, namespace)
		return len(got) >= len(want), err
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Events (-want +got):\n%s", diff)
	}
}

// described returns the part of `kubectl describe` about Events.
func described(k *terminal, kind, name string) string {
	_, events, _ := strings.Cut(k.must("", "describe", kind, name), "\nEvents:\n")
	return events
}

// An Event of the Deployment says why it has no pods. For a StatefulSet, its controller writes the only Event.
func TestEventsAtTheDeployment(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	apply := func(kind, more string) {
		text := fmt.Sprintf("apiVersion: apps/v1\nkind: "+kind+"\nmetadata: {name: %[1]s}\nspec:"+more+selector,
			strings.ToLower(kind))
		k.must(strings.Replace(text, "net.core.somaxconn = 4096", swappiness, 1), "apply", "-f", "-")
	}
	apply("StatefulSet", "\n  serviceName: db")
	eventually(t, "the StatefulSet's own Event", func(context.Context) (bool, error) {
		return strings.Contains(described(k, "statefulset", "statefulset"), rejection(rejectedSwappiness)), nil
	})
	apply("Deployment", "")
	awaitEvents(t, namespace, summary{"Deployment/deployment", "ReplicaSet", "NodeLevel", rejectedSwappiness})
	line := regexp.MustCompile(`(?m)^ +Warning +SysctlRefused +\S+( \(x\d+ over \S+\))? +sysctl-injector +` +
		regexp.QuoteMeta(rejectedSwappiness) + `$`)
	if said := described(k, "deployment", "deployment"); !line.MatchString(said) {
		t.Errorf("kubectl describe deployment says:\n%s", said)
	}
	if said := described(k, "statefulset", "statefulset"); strings.Contains(said, status.RejectedReason) {
		t.Errorf("kubectl describe statefulset says:\n%s", said)
	}
}

func TestEventsAtTheCronJob(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.must(strings.Replace(cronJob, "kernel.sem = 10000 1024000000   500 32000", swappiness, 1), "apply", "-f", "-")
	startMissed(k)
	awaitEvents(t, namespace, summary{"CronJob/nightly", "Job", "NodeLevel", rejectedSwappiness})
}

// A dry run is rejected in the same way and leads to no Event. Each reason of rejection leads to an Event of its own,
// also for one ReplicaSet.
func TestDryRunsLeadToNoEvent(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.must(fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[1]s}\nspec:\n  replicas: 0"+selector,
		"web"), "apply", "-f", "-")
	var sets *appsv1.ReplicaSetList
	eventually(t, "the ReplicaSet", func(ctx context.Context) (done bool, err error) {
		sets, err = client.AppsV1().ReplicaSets(namespace).List(ctx, metav1.ListOptions{})
		return err == nil && len(sets.Items) == 1, err
	})
	owned := func(sysctls string) *corev1.Pod {
		pod := newPod("web", sysctls)
		pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(&sets.Items[0],
			appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
		return pod
	}
	const broken = "InvalidAnnotation: " + annotation +
		`Required value: line 1: net.core.somaxconn has no value: write "name = value"`
	k.fails(denied(broken), manifest(t, owned("net.core.somaxconn =")), "create", "--dry-run=server", "-f", "-")
	k.fails(denied(rejectedSwappiness), manifest(t, owned(swappiness)), "create", "-f", "-")
	awaitEvents(t, namespace, summary{"Deployment/web", "ReplicaSet", "NodeLevel", rejectedSwappiness})
	// Twice more: the Event becomes a series.
	for range 2 {
		k.fails(denied(rejectedSwappiness), manifest(t, owned(swappiness)), "create", "-f", "-")
	}
	eventually(t, "a count", func(ctx context.Context) (bool, error) {
		list, err := client.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) > 0 && hasCount(list.Items), err
	})
	k.fails(denied(broken), manifest(t, owned("net.core.somaxconn =")), "create", "-f", "-")
	eventually(t, "an Event for the other reason", func(ctx context.Context) (bool, error) {
		got, err := eventsOf(ctx, namespace)
		return len(got) == 2, err
	})
}

func hasCount(list []eventsv1.Event) bool {
	for _, event := range list {
		if event.ReportingController == events.Controller && event.Series != nil {
			return event.Series.Count >= 2
		}
	}
	return false
}

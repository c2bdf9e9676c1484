package admission_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// template is a pod template. The argument is the workload's name.
const template = `
    metadata:
      labels: {app: %[1]s}
      annotations:
        sysctl-injector.dev/sysctls: net.core.somaxconn = 4096
    spec:
      containers:
      - {name: main, image: "busybox:1.36", command: [sleep, infinity]}
`

const selector = `
  selector:
    matchLabels: {app: %[1]s}
  template:` + template

func TestControllersPodsAreInjected(t *testing.T) {
	t.Parallel()
	tests := []struct{ kind, manifest string }{
		{"Deployment", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[1]s}\nspec:" + selector},
		{"StatefulSet", "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: %[1]s}\nspec:\n  serviceName: %[1]s" +
			selector},
		{"DaemonSet", "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: %[1]s}\nspec:" + selector},
		{"ReplicaSet", "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: %[1]s}\nspec:" + selector},
		{"Job", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: %[1]s}\nspec:\n  template:" + template +
			"      restartPolicy: Never\n"},
	}
	namespace := makeNamespace(t, enrolled)
	for _, test := range tests {
		t.Run(test.kind, func(t *testing.T) {
			t.Parallel()
			name := strings.ToLower(test.kind)
			newTerminal(t, namespace).must(fmt.Sprintf(test.manifest, name), "apply", "-f", "-")
			pod := awaitPods(t, namespace, "app="+name, 1)[0]
			wantInjected(t, &pod, "net.core.somaxconn=4096")
			if owner := metav1.GetControllerOf(&pod); owner == nil {
				t.Error("the pod has no controller")
			}
		})
	}
}

const cronJob = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: nightly}\nspec:\n  schedule: '@yearly'\n" +
	"  suspend: true\n  jobTemplate:\n    spec:\n      template:\n        metadata:\n" +
	"          labels: {app: nightly}\n          annotations:\n" +
	"            sysctl-injector.dev/sysctls: kernel.sem = 10000 1024000000   500 32000\n        spec:\n" +
	"          restartPolicy: Never\n          containers:\n          - {name: main, image: 'busybox:1.36'}\n"

func TestCronJobStartedByHand(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.must(cronJob, "apply", "-f", "-")
	k.prints("job.batch/now created\n", "", "create", "job", "now", "--from=cronjob/nightly")
	pod := awaitPods(t, namespace, "app=nightly", 1)[0]
	wantInjected(t, &pod, "kernel.sem=10000 1024000000 500 32000")
}

// startMissed makes the CronJob's controller start the missed run of this year. With more runs in the schedule, another
// Job could start during the test.
func startMissed(k *terminal) {
	missed := fmt.Sprintf(`{"status":{"lastScheduleTime":%q}}`, time.Now().AddDate(-2, 0, 0).UTC().Format(time.RFC3339))
	k.must("", "patch", "cronjob", "nightly", "--subresource=status", "--type=merge", "--patch", missed)
	k.must("", "patch", "cronjob", "nightly", "--type=merge", "--patch", `{"spec":{"suspend":false}}`)
}

func TestCronJobStartedByItsController(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	k.must(cronJob, "apply", "-f", "-")
	startMissed(k)
	var pods *corev1.PodList
	eventually(t, "the CronJob's pod", func(ctx context.Context) (done bool, err error) {
		pods, err = client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel})
		return err == nil && len(pods.Items) > 0, err
	})
	wantInjected(t, &pods.Items[0], "kernel.sem=10000 1024000000 500 32000")
}

// A person who applies a Deployment sees a rejection only in the events of the ReplicaSet.
func TestRejectionIsAnEventOfTheReplicaSet(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: search}\nspec:\n  selector:\n" +
		"    matchLabels: {app: search}\n  template:\n    metadata:\n      labels: {app: search}\n" +
		"      annotations:\n        sysctl-injector.dev/sysctls: vm.max_map_count = 262144\n    spec:\n" +
		"      containers:\n      - {name: search, image: search}\n"
	k.prints("deployment.apps/search created\n", deployment, "apply", "-f", "-")
	want := rejection("NodeLevel: " + annotation +
		"Forbidden: line 1: vm.max_map_count is node-level: it would change the node and every pod on it. A" +
		guestAdvice)
	wantEvent(t, namespace, "ReplicaSet", "Error creating: "+want)
	eventually(t, "the Deployment's condition", func(ctx context.Context) (bool, error) {
		deployment, err := client.AppsV1().Deployments(namespace).Get(ctx, "search", metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		for _, condition := range deployment.Status.Conditions {
			if condition.Type == "ReplicaFailure" {
				if diff := cmp.Diff(want, condition.Message); diff != "" {
					t.Errorf("the Deployment's condition ReplicaFailure (-want +got):\n%s", diff)
				}
				return true, nil
			}
		}
		return false, nil
	})
	// The person corrects the manifest, and the pods are created.
	k.must("", "patch", "deployment", "search", "--type=merge", "--patch",
		`{"spec":{"template":{"metadata":{"annotations":{"sysctl-injector.dev/sysctls":"net.core.somaxconn = `+
			`4096"}}}}}`)
	pod := awaitPods(t, namespace, "app=search", 1)[0]
	wantInjected(t, &pod, "net.core.somaxconn=4096")
}

// wantEvent waits for an event FailedCreate with a message about an object of a kind.
func wantEvent(t *testing.T, namespace, kind, message string) {
	t.Helper()
	awaitAnswer(t, fmt.Sprintf("the event %q of a %s", message, kind), func(ctx context.Context) (string, bool) {
		events, err := client.CoreV1().Events(namespace).List(ctx,
			metav1.ListOptions{FieldSelector: "reason=FailedCreate,involvedObject.kind=" + kind})
		if err != nil {
			return err.Error(), false
		}
		var messages []string
		for _, event := range events.Items {
			messages = append(messages, event.Message)
		}
		return fmt.Sprintf("%q", messages), slices.Contains(messages, message)
	})
}

func TestEvictedPodIsReplacedByAnInjectedOne(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	newTerminal(t, namespace).
		must(fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[1]s}\nspec:"+selector, "web"),
			"apply", "-f", "-")
	first := awaitPods(t, namespace, "app=web", 1)[0]
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: first.Name, Namespace: namespace}}
	must(t, client.CoreV1().Pods(namespace).EvictV1(t.Context(), eviction))
	var second corev1.Pod
	eventually(t, "another pod", func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(namespace).List(ctx,
			metav1.ListOptions{LabelSelector: v1alpha1.InjectedLabel + "=true"})
		if err != nil || len(pods.Items) != 1 || pods.Items[0].UID == first.UID {
			return false, err
		}
		second = pods.Items[0]
		return true, nil
	})
	wantInjected(t, &second, "net.core.somaxconn=4096")
}

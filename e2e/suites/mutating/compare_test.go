package mutating_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// sides are two namespaces that differ only in what injects there.
type sides struct{ webhook, policy string }

func makeSides(t *testing.T, labels map[string]string) sides {
	t.Helper()
	s := sides{makeNamespace(t, labels, webhookLabels), makeNamespace(t, labels, policyLabels)}
	awaitDecisions(t, s.policy)
	return s
}

// compare creates a pod on both sides. It returns the reasons of the rejections, "" if both admit the pod, and fails
// the test if they differ.
func (s sides) compare(t *testing.T, pod *corev1.Pod) (byWebhook, byPolicy string) {
	t.Helper()
	want, webhookErr := kube.CoreV1().Pods(s.webhook).Create(t.Context(), pod, dryRun)
	got, policyErr := kube.CoreV1().Pods(s.policy).Create(t.Context(), pod, dryRun)
	switch {
	case (webhookErr == nil) != (policyErr == nil):
		t.Errorf("webhook: %v\npolicies: %v\n%s", webhookErr, policyErr, manifest(pod))
	case webhookErr != nil:
		return webhookErr.Error(), policyErr.Error()
	default:
		if diff := cmp.Diff(anonymous(want), anonymous(got)); diff != "" {
			t.Errorf("pod (-webhook +policies):\n%s\n%s", diff, manifest(pod))
		}
	}
	return "", ""
}

func manifest(pod *corev1.Pod) string {
	text, err := yaml.Marshal(pod)
	if err != nil {
		panic(err) // a pod always encodes
	}
	return string(text)
}

// anonymous returns a copy of a pod without the fields that differ between any two pods.
func anonymous(pod *corev1.Pod) *corev1.Pod {
	pod = clustertest.Anonymous(pod)
	pod.Name = ""
	return pod
}

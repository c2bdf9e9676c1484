package mutating_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// In an enrolled namespace the guard checks the container that the policies inject, and needs grants for it as it does
// with a server. The API server does not call the webhook meanwhile, because the webhook would make the grants.
func TestGuardChecksWhatThePoliciesInject(t *testing.T) {
	namespace := makeNamespace(t, policyLabels, webhookLabels, map[string]string{v1alpha1.EnforceLabel: "baseline"})
	privileged := newPod("")
	privileged.Name = "privileged" // no pod of this name exists
	privileged.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
	withGuard(t, namespace, privileged)
	withoutWebhook(t)
	awaitDecisions(t, namespace)
	const sysctls = "net.core.somaxconn = 32768"
	rejects := func(ctx context.Context) (answer string, rejected bool) {
		_, err := kube.CoreV1().Pods(namespace).Create(ctx, privileged, dryRun)
		return fmt.Sprint(err), err != nil && strings.Contains(err.Error(), "sysctl-injector-baseline")
	}
	awaitAnswer(t, "the guard to act", rejects)

	// A dry run needs no grant.
	_, err := kube.CoreV1().Pods(namespace).Create(t.Context(), newPod(sysctls), metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "sysctl-injector companion") {
		t.Fatalf("a pod whose service account has no grant: %v, want the command that grants", err)
	}
	companion := suite.Cluster(t).Command(t.Context(), installed.Program,
		"companion", "-n", namespace, "--serviceaccount", "default", "net.core.somaxconn")
	grants, err := companion.Output()
	must(t, err)
	kubectl(t, string(grants), "apply", "-f", "-")
	t.Cleanup(func() { kubectl(t, string(grants), "delete", "-f", "-") })
	var pod *corev1.Pod
	eventually(t, "a pod with the grant", func(ctx context.Context) (bool, error) {
		var err error
		pod, err = kube.CoreV1().Pods(namespace).Create(ctx, newPod(sysctls), metav1.CreateOptions{})
		return err == nil, nil
	})
	if found := pod.Spec.InitContainers; len(found) != 1 || found[0].Name != v1alpha1.ContainerName {
		t.Errorf("the pod has the init containers %v, want the injected one", found)
	}
	if answer, rejected := rejects(t.Context()); !rejected {
		t.Errorf("another privileged container: %s, want the guard's rejection", answer)
	}
}

// withGuard installs the shipped guard until the test ends. Only the guard may reject the privileged pod.
func withGuard(t *testing.T, namespace string, privileged *corev1.Pod) {
	t.Helper()
	guard, err := os.ReadFile("../../../deploy/guard.yaml")
	must(t, err)
	kubectl(t, string(guard), "apply", "--server-side", "-f", "-")
	// In the reverse order, the policy that rejects privileged pods and its binding are deleted after the others.
	documents := strings.Split(string(guard), "\n---\n")
	slices.Reverse(documents)
	t.Cleanup(func() {
		kubectl(t, strings.Join(documents, "\n---\n"), "delete", "-f", "-")
		err := await.Answer(context.WithoutCancel(t.Context()), "the guard to act no more", pace, patience,
			func(ctx context.Context) (string, bool) {
				_, err := kube.CoreV1().Pods(namespace).Create(ctx, privileged, dryRun)
				return fmt.Sprint(err), err == nil
			})
		if err != nil {
			t.Error(err)
		}
	})
}

// withoutWebhook removes the webhook until the test ends.
func withoutWebhook(t *testing.T) {
	t.Helper()
	suite.Cluster(t)
	register, err := installed.Unregister(t.Context())
	must(t, err)
	namespace := makeNamespace(t, webhookLabels)
	injects := func(ctx context.Context) bool {
		pod, err := kube.CoreV1().Pods(namespace).Create(ctx, newPod("net.core.somaxconn = 32768"), dryRun)
		return err == nil && len(pod.Spec.InitContainers) > 0
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := register(ctx); err != nil {
			t.Error(err)
		}
		if err := await.Condition(ctx, "the webhook to be called again", pace, patience,
			func(ctx context.Context) (bool, error) {
				return injects(ctx), nil
			}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the webhook to be called no more",
		func(ctx context.Context) (bool, error) { return !injects(ctx), nil })
}

func kubectl(t *testing.T, input string, args ...string) {
	t.Helper()
	if _, err := suite.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), input, args...); err != nil {
		t.Error(err)
	}
}

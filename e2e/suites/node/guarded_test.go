package node_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// An annotated pod runs in a namespace that was enrolled as a person would, and the guard holds every other container
// to "restricted".
func TestGuardedNamespace(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, nil)
	keepsHost(t, "net.core.somaxconn", "kernel.sem")
	if output, err := command(t, installed.Program, "enroll", namespace, "--enforce", "restricted"); err != nil {
		t.Fatalf("sysctl-injector enroll: %v: %s", err, output)
	}
	pods := client.CoreV1().Pods(namespace)
	privileged := func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
	}
	dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	// The API server looks the namespace's new labels up in a cache of its own.
	awaitAnswer(t, "the guard to hold the namespace", func(ctx context.Context) (string, bool) {
		_, err := pods.Create(ctx, newPod("probe", "", privileged), dryRun)
		return fmt.Sprint(err), err != nil && strings.Contains(err.Error(), `PodSecurity "restricted`)
	})
	pod := run(t, namespace, newPod("guarded", "net.core.somaxconn = 2048\nkernel.sem = "+semaphores))
	wantValues(t, pod, app, "net.core.somaxconn = 2048", "kernel.sem = "+semaphores)
	wantUnprivileged(t, pod, app, ordinary(t))
	if found := privilegeOf(t, pod, app); found != (privilege{"0000000000000000", "1"}) {
		t.Errorf("the app has %s, want nothing, for ever", found)
	}

	t.Run("rejects privilege to every other container", func(t *testing.T) {
		if _, err := pods.Create(t.Context(), newPod("privileged", "net.core.somaxconn = 2048", privileged),
			metav1.CreateOptions{}); err == nil {
			t.Error("a privileged app is admitted beside the injected container")
		}
	})
	t.Run("rejects the injected container to those who write it themselves", func(t *testing.T) {
		byHand := newPod("by-hand", "")
		byHand.Spec.InitContainers = []corev1.Container{*pod.Spec.InitContainers[0].DeepCopy()}
		byHand.Spec.InitContainers[0].VolumeMounts = nil
		byHand.Spec.InitContainers[0].Command = []string{"sh", "-c"}
		if _, err := pods.Create(t.Context(), byHand, metav1.CreateOptions{}); err == nil {
			t.Error("a privileged container with a shell is admitted under the injected one's name")
		}
	})
	t.Run("rejects exec into the injected container", func(t *testing.T) { wantClosed(t, namespace) })
}

// wantClosed checks that exec into the injected container is rejected, whether it runs or not.
func wantClosed(t *testing.T, namespace string) {
	t.Helper()
	wantRejected(t, namespace, create(t, namespace, newPod("closed", "net.core.somaxconn = 2048")).Name)
}

// wantRejected checks that the guard rejects exec, attach and ephemeral containers for a pod's injected container.
func wantRejected(t *testing.T, namespace, pod string) {
	t.Helper()
	for _, args := range [][]string{
		{"exec", "-n", namespace, pod, "-c", v1alpha1.ContainerName, "--", "sh"},
		{"attach", "-n", namespace, pod, "-c", v1alpha1.ContainerName},
		{"debug", "-n", namespace, pod, "--image=busybox:1.36", "--target=" + v1alpha1.ContainerName,
			"--profile=restricted", "--", "true"},
	} {
		output, err := command(t, "kubectl", args...)
		if err == nil || !strings.Contains(output, v1alpha1.ContainerName) ||
			!strings.Contains(output, "ValidatingAdmissionPolicy") {
			t.Errorf("kubectl %q is not rejected by the guard: %v: %s", args, err, output)
		}
	}
}

package admission_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// An outage leads to these messages, and controllers recover after it. Not in parallel with the tests that need the
// webhook.
func TestOutage(t *testing.T) {
	inside, outside := makeNamespace(t, enrolled), makeNamespace(t, nil)
	k := newTerminal(t, inside)
	server := installed.Server()
	server.Kill()
	t.Cleanup(func() {
		if installed.Server() == server { // the test ended early
			if err := installed.Restart(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	url := "https://sysctl-injector.sysctl-injector-system.svc:443"
	if k.c.Namespace() == "" {
		url = "https://" + server.Webhook
	}
	why := `failed calling webhook "pods.sysctl-injector.dev": failed to call webhook: Post "` + url +
		`/mutate-pods?timeout=5s": dial tcp ` + server.Webhook + `: connect: connection refused`
	// The API server may still hold dead connections.
	eventually(t, "the API server to notice", func(ctx context.Context) (bool, error) {
		err := create(ctx, inside, somaxconn)
		return err != nil && strings.Contains(err.Error(), why), nil
	})

	// In enrolled namespaces, no pod that asks for sysctls is created without them, unless it has opted out. Other pods
	// are not affected.
	const internal = "Internal error occurred: "
	k.fails(`Error from server (InternalError): error when creating "STDIN": `+internal+why,
		manifest(t, newPod("asking", somaxconn)), "create", "-f", "-")
	k.must(manifest(t, newPod("plain", "")), "create", "-f", "-")
	wantUntouched(t, getPod(t, inside, "plain"))
	for _, mention := range mentions {
		pod := newPod("mentions", "")
		mention.tweak(pod)
		_, err := client.CoreV1().Pods(inside).Create(t.Context(), pod, metav1.CreateOptions{})
		if optedOut := pod.Annotations[v1alpha1.InjectAnnotation] == "false"; optedOut != (err == nil) ||
			!optedOut && !strings.Contains(err.Error(), why) {
			t.Errorf("a pod with %s: %v", mention.name, err)
		}
	}
	optedOut := newPod("opted-out", somaxconn)
	optedOut.Annotations[v1alpha1.InjectAnnotation] = " false\n"
	k.must(manifest(t, optedOut), "create", "-f", "-")
	wantUntouched(t, getPod(t, inside, "opted-out"))
	optedOut.Name, optedOut.Spec.InitContainers = "forged", []corev1.Container{{Name: v1alpha1.ContainerName, Image: "a"}}
	k.rejects(why, manifest(t, optedOut), "create", "-f", "-")
	k.must(fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %[1]s}\nspec:"+selector, "patient"),
		"create", "-f", "-")
	wantEvent(t, inside, "ReplicaSet", "Error creating: "+internal+why)
	newTerminal(t, outside).must(manifest(t, newPod("web", somaxconn)), "create", "-f", "-")
	wantUntouched(t, getPod(t, outside, "web"))

	// After the restart it is called again, and controllers create the missing pods.
	must(t, installed.Restart(t.Context()))
	k.must(manifest(t, newPod("asking", somaxconn)), "create", "-f", "-")
	wantInjected(t, getPod(t, inside, "asking"), "net.core.somaxconn=32768")
	pod := awaitPods(t, inside, "app=patient", 1)[0]
	wantInjected(t, &pod, "net.core.somaxconn=4096")
}

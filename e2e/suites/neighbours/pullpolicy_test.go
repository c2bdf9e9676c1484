package neighbours_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// annotator adds the annotation to a pod that asks for nothing.
var annotator = neighbour{name: "a webhook that adds the annotation", change: func(pod *corev1.Pod) {
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[v1alpha1.SysctlsAnnotation] = "net.core.somaxconn = 1024"
}}

// The plugin AlwaysPullImages sets the pull policy before the webhooks run, and rejects other policies afterwards. If a
// webhook removes our container, or annotates the pod after our webhook was called, the container is added again
// without the plugin. The remedy is a server that writes the policy Always.
func TestPullPolicyAlways(t *testing.T) {
	for _, n := range []neighbour{remover, annotator} {
		t.Run(n.name, func(t *testing.T) {
			namespace := makeNamespace(t, nil)
			o := orders[2] // after ours, and not called again
			n.install(t, namespace, o)
			pod := func() *corev1.Pod {
				pod := n.pod(o)
				if n.name == annotator.name {
					pod.Annotations = nil
				}
				return pod
			}
			if _, err := create(t, namespace, pod()); err == nil {
				t.Error("the pod is created with the default pull policy")
			} else {
				wantRejected(t, err, []string{pullPolicy})
			}
			serveWith(t, "--init-image-pull-policy=Always")
			created, err := create(t, namespace, pod())
			must(t, err)
			first := created.Spec.InitContainers[0]
			if first.Name != v1alpha1.ContainerName || first.ImagePullPolicy != corev1.PullAlways {
				t.Errorf("the first init container is %q with the pull policy %s", first.Name, first.ImagePullPolicy)
			}
		})
	}
}

// serveWith replaces the server by one with further flags, until the test ends.
func serveWith(t *testing.T, flags ...string) {
	t.Helper()
	replace := func(ctx context.Context, flags ...string) error {
		former := installed.Server()
		server, err := installed.Start(ctx, flags...)
		if err != nil {
			return err
		}
		if err := installed.Route(ctx, server); err != nil {
			return err
		}
		// The API server keeps connections open to the former server, and must not use them any more.
		if err := former.Terminate(); err != nil {
			return err
		}
		return former.Wait(time.Minute)
	}
	must(t, replace(t.Context(), flags...))
	t.Cleanup(func() {
		if err := replace(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

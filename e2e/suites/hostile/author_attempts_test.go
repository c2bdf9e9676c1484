package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// author is a user who writes pods in one namespace.
type author struct {
	client.Client
	namespace string
}

// authorAttempt is an attempt of an author, with a part of the answer. The part is empty if the API server allows the
// attempt.
type authorAttempt struct {
	name string
	try  func(context.Context, author) error
	want string
}

// pod tries to create a pod that differs from a good one.
func pod(tweak func(*corev1.Pod)) func(context.Context, author) error {
	return func(ctx context.Context, a author) error {
		pod := goodPod(a.namespace)
		tweak(pod)
		return a.Create(ctx, pod, client.DryRunAll)
	}
}

// replaced tries to create a pod that already contains an injected container. It is admitted with the webhook's
// container in its place, and with no other.
func replaced(tweak func(*corev1.Pod)) func(context.Context, author) error {
	return func(ctx context.Context, a author) error {
		good, tried := goodPod(a.namespace), goodPod(a.namespace)
		tweak(tried)
		if err := errors.Join(a.Create(ctx, good, client.DryRunAll),
			a.Create(ctx, tried, client.DryRunAll)); err != nil {
			return err
		}
		want, got := good.Spec.InitContainers[0], tried.Spec.InitContainers[0]
		want.VolumeMounts[0].Name, got.VolumeMounts[0].Name = "", "" // of the token's volume, random for each pod
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("a pod whose first container is (-want +got):\n%s", diff)
		}
		for _, other := range tried.Spec.InitContainers[1:] {
			if other.SecurityContext != nil && other.SecurityContext.Privileged != nil &&
				*other.SecurityContext.Privileged {
				return fmt.Errorf("a pod with another privileged container %q", other.Name)
			}
		}
		return nil
	}
}

// object tries to create an object, in the author's namespace unless it names another.
func object(object client.Object) func(context.Context, author) error {
	return func(ctx context.Context, a author) error {
		created := object.DeepCopyObject().(client.Object)
		if created.GetNamespace() == "own" {
			created.SetNamespace(a.namespace)
		}
		return a.Create(ctx, created, client.DryRunAll)
	}
}

func sysctls(lines ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Annotations[v1alpha1.SysctlsAnnotation] = strings.Join(lines, "\n") }
}

func goodPod(namespace string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "web-",
			Annotations: map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1024"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx"}}},
	}
}

// container is the injected container, as an author writes it by hand.
func container(tweak func(*corev1.Container)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		var ours corev1.Container
		if err := templates.Decode(templates.Forms, "forms/privileged.yaml", &ours); err != nil {
			panic(err) // the template is embedded, and a test reads it
		}
		ours.Image, ours.Args, ours.Resources = "docker.io/library/busybox:1.36", []string{
			"net.core.somaxconn=1024"}, corev1.ResourceRequirements{}
		tweak(&ours)
		pod.Spec.InitContainers = append([]corev1.Container{ours}, pod.Spec.InitContainers...)
	}
}

func both(tweaks ...func(*corev1.Pod)) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		for _, tweak := range tweaks {
			tweak(pod)
		}
	}
}

// tries runs a table.
func (a author) tries(t *testing.T, attempts []authorAttempt) {
	t.Helper()
	for _, attempt := range attempts {
		t.Run(attempt.name, func(t *testing.T) {
			err := attempt.try(t.Context(), a)
			if attempt.want == "" && err != nil || attempt.want != "" &&
				(err == nil || !strings.Contains(err.Error(), attempt.want)) {
				t.Errorf("they get %s, want %q", answerOf(err), attempt.want)
			}
		})
	}
	t.Logf("%d attempts", len(attempts))
}

// awaitStandard waits until the author's rights and the namespace's labels are in force.
func (a author) awaitStandard(t *testing.T) {
	t.Helper()
	eventually(t, "the rights and the standard to be in force", func(ctx context.Context) (bool, error) {
		plain := pod(func(p *corev1.Pod) { p.Annotations = nil })(ctx, a)
		onTheHost := pod(func(p *corev1.Pod) { p.Annotations, p.Spec.HostPID = nil, true })(ctx, a)
		return plain == nil && onTheHost != nil, nil
	})
}

// withPod calls a function with an existing injected pod.
func (a author) withPod(ctx context.Context, try func(*corev1.Pod) error) error {
	created := goodPod(a.namespace)
	if _, err := clustertest.UntilGranted(ctx, func(ctx context.Context) error {
		return a.Create(ctx, created)
	}); err != nil {
		return err
	}
	// The scheduler may write the pod's status meanwhile.
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live := &corev1.Pod{}
		if err := a.Get(ctx, client.ObjectKeyFromObject(created), live); err != nil {
			return err
		}
		return try(live)
	})
}

// later tries to change a pod that has been admitted.
func later(change func(*corev1.Pod)) func(context.Context, author) error {
	return func(ctx context.Context, a author) error {
		return a.withPod(ctx, func(p *corev1.Pod) error {
			change(p)
			return a.Update(ctx, p, client.DryRunAll)
		})
	}
}

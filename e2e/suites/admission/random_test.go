package admission_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/randompod"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

var (
	randomSeed = flag.Uint64("random-seed", 0, "seed of the random pods; 0 takes the clock")
	randomPods = flag.Int("random-pods", 150, "how many random pods are made")
)

// The API server admits with our patch every pod that it admits without it, and the two pods differ only in what we
// add.
func TestRandomPodsDifferInNothingElse(t *testing.T) {
	t.Parallel()
	seed := *randomSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to see the same pods again: -args -random-seed=%d", seed)
	random := randompod.Generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	annotates := !serves(t, 34)
	inside, outside := makeNamespace(t, enrolled), makeNamespace(t, nil)
	newTerminal(t, inside) // shows the log when the test fails
	for i := range *randomPods {
		pod, args := random.Pod(fmt.Sprintf("random-%d", i))
		dryRun := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
		without, err := client.CoreV1().Pods(outside).Create(t.Context(), pod, dryRun)
		if err != nil {
			t.Fatalf("pod %d is not valid, so the generator is at fault: %v\n%s", i, err, manifest(t, pod))
		}
		with, err := client.CoreV1().Pods(inside).Create(t.Context(), pod, dryRun)
		if err != nil {
			t.Fatalf("pod %d: %v\n%s", i, err, manifest(t, pod))
		}
		want := expect(without, args)
		if annotates {
			// The API server writes it for each container that states a profile, ours included.
			appArmor := corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix + v1alpha1.ContainerName
			want.Annotations[appArmor] = "unconfined"
		}
		if diff := cmp.Diff(want, clustertest.Anonymous(with)); diff != "" {
			t.Fatalf("pod %d (-want +got):\n%s\n%s", i, diff, manifest(t, pod))
		}
	}
}

// expect adds what we inject to a pod that the API server created without us.
func expect(without *corev1.Pod, args []string) *corev1.Pod {
	want := without.DeepCopy()
	container := injectedContainer(want, args...)
	if want.Spec.Resources == nil {
		container.Resources = smallestOf(slices.Concat(want.Spec.Containers, want.Spec.InitContainers))
	}
	want.Spec.InitContainers = append([]corev1.Container{container}, want.Spec.InitContainers...)
	if want.Labels == nil {
		want.Labels = map[string]string{}
	}
	want.Labels[v1alpha1.InjectedLabel] = "true"
	want.Annotations[v1alpha1.StatusAnnotation] = statusOf(v1alpha1.SharedKernel, args)
	return clustertest.Anonymous(want)
}

// smallestOf returns the resources of our container: the smallest request and limit of the others, which have the API
// server's defaults.
func smallestOf(others []corev1.Container) (own corev1.ResourceRequirements) {
	for name, most := range randompod.Quantities("100m", "32Mi") {
		lower := func(to *corev1.ResourceList, from corev1.ResourceList) {
			quantity, stated := from[name]
			if !stated {
				return
			}
			if *to == nil {
				*to = corev1.ResourceList{}
			}
			lowest, found := (*to)[name]
			if !found || lowest.IsZero() || !quantity.IsZero() && quantity.Cmp(lowest) < 0 {
				(*to)[name] = quantity
			}
		}
		for _, c := range others {
			lower(&own.Requests, c.Resources.Requests)
			lower(&own.Limits, c.Resources.Limits)
		}
		if limit, stated := own.Limits[name]; stated && most.Cmp(limit) > 0 {
			most = limit
		} else if stated {
			own.Limits[name] = most
		}
		if request, stated := own.Requests[name]; stated && most.Cmp(request) < 0 {
			own.Requests[name] = most
		}
	}
	return own
}

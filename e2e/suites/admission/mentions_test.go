package admission_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// mentions are pods with a key or name of ours that ask for no sysctls.
var mentions = []struct {
	name     string
	tweak    func(*corev1.Pod)
	rejected string // empty: the pod is created unchanged
}{
	{"the label", func(pod *corev1.Pod) { pod.Labels[v1alpha1.InjectedLabel] = "true" }, ""},
	{"the status annotation", func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{v1alpha1.StatusAnnotation: "{}"}
	}, ""},
	{"the annotation that opts it out", func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{v1alpha1.InjectAnnotation: "false"}
	}, ""},
	{"a label that we do not know", func(pod *corev1.Pod) { pod.Labels["sysctl-injector.dev/inject"] = "true" },
		"UnknownKey: metadata.labels[sysctl-injector.dev/inject]: Forbidden: this is a key of metadata.annotations; " +
			"move it there"},
	{"the reserved init container", func(pod *corev1.Pod) {
		pod.Spec.InitContainers = []corev1.Container{{Name: "setup", Image: "a"}, {Name: "sysctl-injector", Image: "a"}}
	}, "ReservedName: spec.initContainers[1]" + reservedName},
	{"the reserved container", func(pod *corev1.Pod) { pod.Spec.Containers[0].Name = "sysctl-injector" },
		"ReservedName: spec.containers[0]" + reservedName},
}

// The webhook decides on pods that carry a key or name of ours but ask for no sysctls.
func TestMentionsWithoutAsking(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, present)
	k := newTerminal(t, namespace)
	for n, test := range mentions {
		pod := newPod("web-"+string(rune('a'+n)), "")
		test.tweak(pod)
		if test.rejected != "" {
			k.fails(denied(test.rejected), manifest(t, pod), "create", "-f", "-")
			continue
		}
		k.must(manifest(t, pod), "create", "-f", "-")
		created := getPod(t, namespace, pod.Name)
		if diff := cmp.Diff(pod.Annotations, created.Annotations); diff != "" {
			t.Errorf("a pod with %s: annotations (-asked +created):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(pod.Labels, created.Labels); diff != "" || len(created.Spec.InitContainers) > 0 {
			t.Errorf("a pod with %s: %d init containers; labels (-asked +created):\n%s",
				test.name, len(created.Spec.InitContainers), diff)
		}
	}
}

// The entry's condition reads pods before the API server validates them, so it must not fail on invalid ones.
func TestConditionAcceptsInvalidPods(t *testing.T) {
	t.Parallel()
	k := newTerminal(t, makeNamespace(t, enrolled))
	for spec, want := range map[string]string{
		"{}":                            "spec.containers: Required value",
		"{containers: null}":            "spec.containers: Required value",
		"{containers: [{image: a}]}":    "spec.containers[0].name: Required value",
		"{initContainers: [{name: a}]}": "spec.containers: Required value",
	} {
		k.rejects(want, "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: "+spec, "create", "--validate=false",
			"-f", "-")
	}
}

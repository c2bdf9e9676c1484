package guard_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/randompod"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// relabel writes the labels of a namespace, and waits until they are in force.
func relabel(t *testing.T, namespace string, of labels) {
	t.Helper()
	namespaces := clientset(t).CoreV1().Namespaces()
	object, err := namespaces.Get(t.Context(), namespace, metav1.GetOptions{})
	must(t, err)
	for key := range object.Labels {
		if key != corev1.LabelMetadataName {
			delete(object.Labels, key)
		}
	}
	for key, value := range of {
		object.Labels[key] = value
	}
	_, err = namespaces.Update(t.Context(), object, metav1.UpdateOptions{})
	must(t, err)
	waitForLabels(t, namespace)
}

// live creates a pod without a dry run. There is no node, so the pod does not change.
func live(t *testing.T, namespace string, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	created, err := clientset(t).CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	must(t, err)
	return created
}

// write is a way to change a live pod, in a dry run or not.
type write struct {
	name string
	do   func(ctx context.Context, admin *kubernetes.Clientset, pod *corev1.Pod, mode []string) error
}

var dry = []string{metav1.DryRunAll}

func update(name string, change func(*corev1.Pod)) write {
	return write{"UPDATE: " + name, func(ctx context.Context, admin *kubernetes.Clientset, pod *corev1.Pod,
		mode []string) error {
		pod = copyOf(pod)
		pod.ResourceVersion = "" // the scheduler writes too
		change(pod)
		_, err := admin.CoreV1().Pods(pod.Namespace).Update(ctx, pod, metav1.UpdateOptions{DryRun: mode})
		return err
	}}
}

func patch(name string, kind types.PatchType, body string, subresources ...string) write {
	return write{fmt.Sprintf("PATCH %v %s: %s", subresources, kind, name),
		func(ctx context.Context, admin *kubernetes.Clientset, pod *corev1.Pod, mode []string) error {
			options := metav1.PatchOptions{DryRun: mode}
			if kind == types.ApplyPatchType {
				options.FieldManager, options.Force = "attacker", new(true)
			}
			_, err := admin.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, kind, []byte(body), options,
				subresources...)
			return err
		}}
}

func debug(name string, change func(*corev1.EphemeralContainer)) write {
	return write{"ephemeralcontainers: " + name, func(ctx context.Context, admin *kubernetes.Clientset, pod *corev1.Pod,
		mode []string) error {
		pod = copyOf(pod)
		pod.ResourceVersion = ""
		container := corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon(plainContainer("debugger"))}
		change(&container)
		pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, container)
		_, err := admin.CoreV1().Pods(pod.Namespace).UpdateEphemeralContainers(ctx, pod.Name, pod,
			metav1.UpdateOptions{DryRun: mode})
		return err
	}}
}

// sameWrites are changes of pods that are older than the enforcement in their namespace.
var sameWrites = []write{
	update("a label", func(pod *corev1.Pod) { pod.Labels = labels{"a": "b"} }),
	update("a deadline", func(pod *corev1.Pod) { pod.Spec.ActiveDeadlineSeconds = new(int64(60)) }),
	update("a toleration", func(pod *corev1.Pod) {
		pod.Spec.Tolerations = append(pod.Spec.Tolerations,
			corev1.Toleration{Key: "a", Operator: corev1.TolerationOpExists})
	}),
	update("nothing", func(*corev1.Pod) {}),
	update("an image", func(pod *corev1.Pod) { pod.Spec.Containers[0].Image = "registry.example.com/app:2" }),
	update("an init container's image", func(pod *corev1.Pod) {
		pod.Spec.InitContainers[len(pod.Spec.InitContainers)-1].Image = "registry.example.com/app:2"
	}),
	patch("a label", types.MergePatchType, `{"metadata":{"labels":{"a":"b"}}}`),
	patch("an image", types.StrategicMergePatchType,
		`{"spec":{"containers":[{"name":"app","image":"registry.example.com/app:2"}]}}`),
	patch("a finalizer", types.JSONPatchType, `[{"op":"add","path":"/metadata/finalizers","value":["example.com/a"]}]`),
	patch("a label", types.ApplyPatchType, `{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"a":"b"}}}`),
	patch("an image", types.ApplyPatchType,
		`{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"app","image":"registry.example.com/app:2"}]}}`),
	patch("a condition", types.StrategicMergePatchType, `{"status":{"conditions":[{"type":"a","status":"True"}]}}`,
		"status"),
	patch("resources", types.StrategicMergePatchType,
		`{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"2"},"limits":{"cpu":"2"}}}]}}`, "resize"),
	debug("a harmless one", func(*corev1.EphemeralContainer) {}),
	debug("a privileged one",
		func(c *corev1.EphemeralContainer) { c.SecurityContext = &corev1.SecurityContext{Privileged: new(true)} }),
	debug("one with a capability, in another's processes", func(c *corev1.EphemeralContainer) {
		c.TargetContainerName = "app"
		c.SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_PTRACE"}
	}),
}

// TestGuardUpdates compares the verdicts on changes of live pods that meet no standard and of live pods that meet every
// standard.
func TestGuardUpdates(t *testing.T) {
	admin := clientset(t)
	violating := plainPod()
	violating.Name, violating.Spec.HostPID = "violating", true
	good := plainPod()
	for _, level := range levels {
		upstream, guarded := newNamespace(t, nil), newNamespace(t, nil)
		for _, pod := range []*corev1.Pod{violating, good} {
			pod = copyOf(pod)
			pod.Spec.InitContainers = []corev1.Container{plainContainer("setup")}
			pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{
				Requests: randompod.Quantities("1", "1Gi"), Limits: randompod.Quantities("1", "1Gi")}
			live(t, upstream, pod)
			live(t, guarded, pod)
		}
		relabel(t, upstream, labels{api.EnforceLevelLabel: string(level)})
		relabel(t, guarded, held(level))
		for _, name := range []string{"violating", "pod"} {
			for _, write := range sameWrites {
				t.Run(fmt.Sprintf("%s: %s: %s", level, name, write.name), func(t *testing.T) {
					var got [2]string
					for n, namespace := range []string{upstream, guarded} {
						pod, err := admin.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
						must(t, err)
						got[n] = verdict(write.do(t.Context(), admin, pod, dry))
					}
					if violations(got[0]) != violations(got[1]) || (got[0] == "") != (got[1] == "") {
						t.Errorf("Pod Security admission: %s\nguard:                  %s", got[0], got[1])
					}
				})
			}
		}
	}
}

// TestGuardNamespaceLabels creates, in namespaces with all kinds of labels, a pod that meets only baseline, one that
// meets no standard, and an injected one.
func TestGuardNamespaceLabels(t *testing.T) {
	onlyBaseline, neither := plainPod(), plainPod()
	onlyBaseline.Spec.SecurityContext.RunAsNonRoot = new(false)
	neither.Spec.HostPID = true
	const (
		inject, enforce = v1alpha1.InjectLabel, v1alpha1.EnforceLabel
		unseen          = `reserved container name (container "sysctl-injector" must not be in a namespace ` +
			`without the label sysctl-injector.dev/inject=enabled, where the webhook does not see it)`
		nonRoot = `runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)`
		hostPID = `host namespaces (hostPID=true)`
		unknown = `; the namespace is held to it because its label sysctl-injector.dev/enforce is none of ` +
			`baseline, restricted, privileged`
		base      = `"baseline:latest": `
		restrict  = `"restricted:latest": `
		hostPIDis = base + hostPID
	)
	for _, test := range []struct {
		name                            string
		labels                          labels
		onlyBaseline, neither, injected string
	}{
		{"both labels, baseline", labels{inject: "enabled", enforce: "baseline"}, "", hostPIDis, ""},
		{"both labels, restricted", labels{inject: "enabled", enforce: "restricted"}, restrict + nonRoot,
			restrict + hostPID, ""},
		{"both labels, privileged: nothing is held to anything", labels{inject: "enabled", enforce: "privileged"},
			"", "", ""},
		{"inject alone is baseline", labels{inject: "enabled"}, "", hostPIDis, ""},
		{"inject with another value still binds, and nothing is injected there", labels{inject: "disabled"}, "",
			hostPIDis, base + unseen},
		{"enforce alone still binds", labels{enforce: "restricted"}, restrict + nonRoot, restrict + hostPID,
			restrict + unseen},
		{"enforce=baseline alone still binds", labels{enforce: "baseline"}, "", hostPIDis, base + unseen},
		{"a standard that does not exist is restricted", labels{inject: "enabled", enforce: "restrictet"},
			restrict + nonRoot + unknown, restrict + hostPID + unknown, ""},
		{"a standard in capitals is none", labels{inject: "enabled", enforce: "Privileged"},
			restrict + nonRoot + unknown, restrict + hostPID + unknown, ""},
		{"a standard with a version is none", labels{inject: "enabled", enforce: "privileged-v1"},
			restrict + nonRoot + unknown, restrict + hostPID + unknown, ""},
		{"an empty standard is none", labels{inject: "enabled", enforce: ""}, restrict + nonRoot + unknown,
			restrict + hostPID + unknown, ""},
		{"no label of ours", labels{"team": "a"}, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace := newNamespace(t, test.labels)
			for _, row := range []struct {
				name, want string
				pod        *corev1.Pod
			}{{"meets baseline only", test.onlyBaseline, onlyBaseline}, {"meets neither", test.neither, neither},
				{"is injected", test.injected, injectedPod()}} {
				got := verdict(createIn(t, namespace, row.pod))
				if violations(got) != row.want || (got == "") != (row.want == "") {
					t.Errorf("a pod that %s: got %s, want %s", row.name, got, row.want)
				}
			}
		})
	}
}

// TestGuardExcludesSystemNamespaces labels namespaces that the guard must never stand in the way of.
func TestGuardExcludesSystemNamespaces(t *testing.T) {
	admin := clientset(t)
	pod := plainPod()
	pod.Spec.HostPID, pod.Spec.ServiceAccountName = true, ""
	for _, name := range []string{"kube-system", "sysctl-injector-system"} {
		t.Run(name, func(t *testing.T) {
			namespaces := admin.CoreV1().Namespaces()
			_, _ = namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
				metav1.CreateOptions{})
			_, err := namespaces.Patch(t.Context(), name, types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"sysctl-injector.dev/inject":"enabled",`+
					`"sysctl-injector.dev/enforce":"restricted"}}}`), metav1.PatchOptions{})
			must(t, err)
			// When a namespace that is labelled later is held to its standard, the labels of this one are in force too.
			newNamespace(t, held(api.LevelRestricted))
			must(t, clustertest.MakeServiceAccounts(t.Context(), admin, name, "default"))
			if got := verdict(createIn(t, name, pod)); got != "" {
				t.Error(got)
			}
		})
	}
}

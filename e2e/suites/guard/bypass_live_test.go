package guard_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/randompod"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// liveAttempt is an attempt to change an injected pod after its admission. If it is not rejected, it must not change
// what runs.
type liveAttempt struct {
	write
	by   layer
	want string
}

const (
	onlySomeFields = `Pod "pod" is invalid: spec: Forbidden: pod updates may not change fields other than`
	noMore         = `Pod "pod" is invalid: spec.initContainers: Forbidden: pod updates may not add or ` +
		`remove containers`
	noMoreApps = `Pod "pod" is invalid: spec.containers: Forbidden: pod updates may not add or remove containers`
	ignored    = layer("nobody: the API server takes nothing of it")
)

// immutable is an attempt to change a field of the injected container that no pod can change.
func immutable(name string, change func(*corev1.Container)) liveAttempt {
	return liveAttempt{update(name, func(pod *corev1.Pod) { change(&pod.Spec.InitContainers[0]) }), theAPIServer,
		onlySomeFields}
}

var liveAttempts = []liveAttempt{
	// The image is the one field of a container that can change.
	{update("another image",
		func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Image = "registry.example.com/shell:1" }),
		theStandard, standard(differsInImage("image", "registry.example.com/shell:1"), oursIsUnconfined,
			oursIsPrivileged)},
	{update("another tag",
		func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Image = "docker.io/library/busybox:latest" }),
		theStandard, standard(differsInImage("image", "docker.io/library/busybox:latest"), oursIsUnconfined,
			oursIsPrivileged)},
	{update("another image, annotations and labels gone", func(pod *corev1.Pod) {
		pod.Annotations, pod.Labels = nil, nil
		pod.Spec.InitContainers[0].Image = "registry.example.com/shell:1"
	}), theStandard, standard(differsInImage("image", "registry.example.com/shell:1"), oursIsUnconfined,
		oursIsPrivileged)},
	{patch("another image", types.JSONPatchType,
		`[{"op":"replace","path":"/spec/initContainers/0/image","value":"registry.example.com/shell:1"}]`),
		theStandard, standard(differsInImage("image", "registry.example.com/shell:1"), oursIsUnconfined,
			oursIsPrivileged)},
	{patch("another image", types.StrategicMergePatchType,
		`{"spec":{"initContainers":[{"name":"sysctl-injector","image":"registry.example.com/shell:1"}]}}`),
		theStandard, standard(differsInImage("image", "registry.example.com/shell:1"), oursIsUnconfined,
			oursIsPrivileged)},
	{patch("another image", types.ApplyPatchType,
		`{"apiVersion":"v1","kind":"Pod","spec":{"initContainers":[{"name":"sysctl-injector",`+
			`"image":"registry.example.com/shell:1"}]}}`),
		theStandard, standard(differsInImage("image", "registry.example.com/shell:1"), oursIsUnconfined,
			oursIsPrivileged)},

	// Everything else cannot.
	immutable("arguments", func(c *corev1.Container) { c.Args = []string{"net.not.granted=1"} }),
	immutable("a command", func(c *corev1.Container) { c.Command = []string{"sh"} }),
	immutable("an environment", func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "A", Value: "b"}} }),
	immutable("a terminal", func(c *corev1.Container) { c.TTY, c.Stdin = true, true }),
	immutable("a working directory", func(c *corev1.Container) { c.WorkingDir = "/" }),
	immutable("mounts", func(c *corev1.Container) { c.VolumeMounts = nil }),
	immutable("capabilities", func(c *corev1.Container) { c.SecurityContext.Capabilities = &corev1.Capabilities{} }),
	immutable("a user", func(c *corev1.Container) { c.SecurityContext.RunAsUser = new(int64(1)) }),
	immutable("the pull policy", func(c *corev1.Container) { c.ImagePullPolicy = corev1.PullAlways }),
	immutable("a restart policy",
		func(c *corev1.Container) { c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways) }),
	immutable("its name", func(c *corev1.Container) { c.Name = "other" }),
	{update("its place", func(pod *corev1.Pod) {
		inits := pod.Spec.InitContainers
		inits[0], inits[1] = inits[1], inits[0]
	}), theAPIServer, onlySomeFields},
	{update("one more", func(pod *corev1.Pod) {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, ours("net.core.somaxconn=1"))
		pod.Spec.InitContainers[2].Name = "more"
	}), theAPIServer, noMore},
	{update("one less", func(pod *corev1.Pod) { pod.Spec.InitContainers = pod.Spec.InitContainers[1:] }),
		theAPIServer, noMore},
	{update("a privileged app", func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	}), theAPIServer, onlySomeFields},
	{update("the node's network", func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }), theAPIServer, onlySomeFields},
	{update("a service account", func(pod *corev1.Pod) { pod.Spec.ServiceAccountName = "default" }), theAPIServer,
		onlySomeFields},
	{update("a RuntimeClass", func(pod *corev1.Pod) { pod.Spec.RuntimeClassName = new("labelled") }), theAPIServer,
		onlySomeFields},
	{patch("a privileged app", types.ApplyPatchType,
		`{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"more","image":"a",`+
			`"securityContext":{"privileged":true}}]}}`),
		theAPIServer, noMoreApps},
	{patch("arguments", types.JSONPatchType, `[{"op":"add","path":"/spec/initContainers/0/args/-",`+
		`"value":"net.not.granted=1"}]`), theAPIServer, onlySomeFields},

	// Ephemeral containers.
	{debug("into ours", func(c *corev1.EphemeralContainer) { c.TargetContainerName = "sysctl-injector" }), theStandard,
		standard(`reserved container name (container "debugger" must not set targetContainerName "sysctl-injector")`)},
	{debug("into ours, privileged", func(c *corev1.EphemeralContainer) {
		c.TargetContainerName = "sysctl-injector"
		c.SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	}), theStandard,
		standard(`reserved container name (container "debugger" must not set targetContainerName "sysctl-injector")`,
			`privileged (container "debugger" must not set securityContext.privileged=true)`)},
	{debug("privileged", func(c *corev1.EphemeralContainer) {
		c.SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	}), theStandard, standard(`privileged (container "debugger" must not set securityContext.privileged=true)`)},
	{debug("exactly ours, under another name", func(c *corev1.EphemeralContainer) {
		c.EphemeralContainerCommon = corev1.EphemeralContainerCommon(ours("net.core.somaxconn=1"))
		c.Name = "more"
	}), theStandard, standard(unconfinedByField("more"),
		`privileged (container "more" must not set securityContext.privileged=true)`)},
	{debug("under our name", func(c *corev1.EphemeralContainer) { c.Name = "sysctl-injector" }),
		theAPIServer, `Pod "pod" is invalid: spec.ephemeralContainers[0].name: Duplicate value: "sysctl-injector"`},
	{debug("that traces processes that the pod shares", func(c *corev1.EphemeralContainer) {
		c.SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_PTRACE"}
	}), theStandard,
		standard(`non-default capabilities (container "debugger" must not include "SYS_PTRACE" in ` +
			`securityContext.capabilities.add)`)},
	{patch("into ours", types.StrategicMergePatchType,
		`{"spec":{"ephemeralContainers":[{"name":"debugger","image":"a","targetContainerName":"sysctl-injector"}]}}`,
		"ephemeralcontainers"),
		theStandard, standard(`reserved container name (container "debugger" must not set targetContainerName ` +
			`"sysctl-injector")`)},
	{patch("into ours, not by the subresource", types.StrategicMergePatchType,
		`{"spec":{"ephemeralContainers":[{"name":"debugger","image":"a","targetContainerName":"sysctl-injector"}]}}`),
		theAPIServer, onlySomeFields},

	// Other subresources.
	{patch("our image, and an ephemeral container for cover", types.StrategicMergePatchType,
		`{"spec":{"initContainers":[{"name":"sysctl-injector","image":"a"}],"ephemeralContainers":[{"name":"b",`+
			`"image":"b"}]}}`, "ephemeralcontainers"),
		ignored, ""},
	{patch("privileges", types.StrategicMergePatchType,
		`{"spec":{"containers":[{"name":"app","securityContext":{"privileged":true}}]}}`, "resize"),
		ignored, ""},
	{patch("our resources, which anyone may choose", types.StrategicMergePatchType,
		`{"spec":{"initContainers":[{"name":"sysctl-injector","resources":{"limits":{"cpu":"4"}}}]}}`, "resize"),
		ignored, ""},
	{patch("our image", types.StrategicMergePatchType,
		`{"spec":{"initContainers":[{"name":"sysctl-injector","image":"a"}]}}`, "resize"),
		ignored, ""},
	{patch("our image", types.StrategicMergePatchType,
		`{"spec":{"initContainers":[{"name":"sysctl-injector","image":"a"}]}}`, "status"), ignored, ""},
	{patch("an ephemeral container", types.MergePatchType,
		`{"spec":{"ephemeralContainers":[{"name":"a","image":"a"}]}}`, "status"), ignored, ""},
	{write{"pods/binding: a pod in its place", func(ctx context.Context, admin *kubernetes.Clientset, pod *corev1.Pod,
		mode []string) error {
		return admin.CoreV1().RESTClient().Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).
			SubResource("binding").
			VersionedParams(&metav1.CreateOptions{DryRun: mode}, scheme.ParameterCodec).Body(pod).Do(ctx).Error()
	}}, theAPIServer, `Pod in version "v1" cannot be handled as a Binding`},
	{write{"pods/binding: annotations and labels", func(ctx context.Context, admin *kubernetes.Clientset,
		pod *corev1.Pod, mode []string) error {
		return admin.CoreV1().Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name,
				Annotations: labels{"sysctl-injector.dev/sysctls": "kernel.sysrq = 1"}},
			Target: corev1.ObjectReference{Kind: "Node", Name: "none"},
		}, metav1.CreateOptions{DryRun: mode})
	}}, ignored, ""},
}

func TestGuardBypassOfLivePods(t *testing.T) {
	admin := clientset(t)
	namespace := newNamespace(t, held(api.LevelBaseline))
	pod := injectedPod()
	pod.Annotations = labels{v1alpha1.SysctlsAnnotation: "net.core.somaxconn = 1024", v1alpha1.StatusAnnotation: "{}"}
	pod.Spec.ShareProcessNamespace = new(true)
	pod.Spec.InitContainers = append(pod.Spec.InitContainers, plainContainer("setup"))
	small := randompod.Quantities("100m", "32Mi")
	pod.Spec.InitContainers[0].Resources = corev1.ResourceRequirements{Requests: small, Limits: small}
	before := live(t, namespace, pod)
	for _, row := range liveAttempts {
		t.Run(row.name, func(t *testing.T) {
			row.by, row.want = server(t).answer(row.name, row.by, row.want)
			current, err := admin.CoreV1().Pods(namespace).Get(t.Context(), "pod", metav1.GetOptions{})
			must(t, err)
			mode := dry
			if row.by == ignored {
				mode = nil // so that the result can be compared
			}
			got := verdict(row.do(t.Context(), admin, current, mode))
			if row.by != ignored {
				attempt{by: row.by, want: row.want}.check(t, got)
				return
			}
			if got != "" {
				t.Errorf("got %s", got)
			}
			after, err := admin.CoreV1().Pods(namespace).Get(t.Context(), "pod", metav1.GetOptions{})
			must(t, err)
			// These may change: no value of them gains anything.
			after.Spec.InitContainers[0].Resources = before.Spec.InitContainers[0].Resources
			after.Spec.EphemeralContainers, after.Spec.NodeName = nil, ""
			if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
				t.Errorf("the pod changed (-before +after):\n%s", diff)
			}
		})
	}
}

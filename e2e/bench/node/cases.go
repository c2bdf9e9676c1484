//go:build linux

package main

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Namespaces of the pods.
const (
	guarded = "bench-guarded" // enrolled, and held to "restricted"
	open    = "bench-open"    // where anybody may write a privileged container
)

const (
	appName  = "app"
	initName = "init" // of a container that somebody wrote
)

// safe is what every kubelet allows, so that Kubernetes can set it by itself.
const safe = "net.ipv4.ip_local_port_range = 32768 65535\nnet.ipv4.tcp_keepalive_time = 600\n"

const asked = "net.core.somaxconn = 32768\nnet.ipv4.ip_local_port_range = 32768 65535\n"

// kind is one sort of pod, and what was measured of it.
type kind struct {
	name      string
	namespace string
	tweak     func(*corev1.Pod)

	timelines []timeline
}

// The kinds that the first tables are about, in their order.
const (
	none = iota
	noop
	injected
	noopLimited
	injectedLimited
	// The forms, from here on.
	native
	verifying
	raised
	noneUserNamespaced
	noopUserNamespaced
	userNamespaced
	// The copies, from here on.
	mains
)

// kinds lists them all. rendered is the injected container, which the last copy by hand, with one thing changed each.
func kinds(rendered *corev1.Container) []*kind {
	copied := func(change func(*corev1.Pod, *corev1.Container)) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			container := rendered.DeepCopy()
			container.Name = initName // the other is reserved
			change(pod, container)
			pod.Spec.InitContainers = []corev1.Container{*container}
		}
	}
	return []*kind{
		none:     {name: "no init container", namespace: guarded, tweak: func(*corev1.Pod) {}},
		noop:     {name: "an ordinary one, `true`", namespace: guarded, tweak: withNoop},
		injected: {name: "the injected one", namespace: guarded, tweak: annotated},
		noopLimited: {name: "an ordinary one with the injected one's limits", namespace: guarded,
			tweak: func(pod *corev1.Pod) {
				withNoop(pod)
				limited(pod)
				pod.Spec.InitContainers[0].Resources = limits("100m")
			}},
		injectedLimited: {name: "the injected one, in a pod with limits", namespace: guarded,
			tweak: func(pod *corev1.Pod) {
				annotated(pod)
				limited(pod)
			}},
		native: {name: "native: `strategy: native-first`, safe names", namespace: guarded,
			tweak: func(pod *corev1.Pod) {
				pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: safe,
					v1alpha1.StrategyAnnotation: "native-first"}
			}},
		verifying: {name: "verify: `mode: verify`, a name of the node", namespace: guarded,
			tweak: func(pod *corev1.Pod) {
				pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: "vm.max_map_count >= 1\n",
					v1alpha1.ModeAnnotation: "verify"}
			}},
		raised: {name: "privileged, with a floor: the script", namespace: guarded, tweak: func(pod *corev1.Pod) {
			pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn >= " +
				"32768\nnet.ipv4.ip_local_port_range = 32768 65535\n"}
		}},
		noneUserNamespaced: {name: "no init container, `hostUsers: false`", namespace: guarded, tweak: inUserNamespace},
		noopUserNamespaced: {name: "an ordinary one, `true`, `hostUsers: false`", namespace: guarded,
			tweak: func(pod *corev1.Pod) {
				withNoop(pod)
				inUserNamespace(pod)
			}},
		userNamespaced: {name: "user-namespace: `hostUsers: false`", namespace: guarded, tweak: func(pod *corev1.Pod) {
			annotated(pod)
			inUserNamespace(pod)
		}},
		mains: {name: "a copy of the injected one", namespace: open,
			tweak: copied(func(*corev1.Pod, *corev1.Container) {})},
		{name: "… that runs `true`", namespace: open, tweak: copied(func(_ *corev1.Pod, c *corev1.Container) {
			c.Command, c.Args = []string{"true"}, nil
		})},
		{name: "… that runs `true`, not privileged", namespace: open,
			tweak: copied(func(_ *corev1.Pod, c *corev1.Container) {
				c.Command, c.Args = []string{"true"}, nil
				c.SecurityContext.Privileged = nil
			})},
		{name: "… without readOnlyRootFilesystem", namespace: open,
			tweak: copied(func(_ *corev1.Pod, c *corev1.Container) {
				c.SecurityContext.ReadOnlyRootFilesystem = nil
			})},
		{name: "… with terminationMessagePolicy: File", namespace: open,
			tweak: copied(func(_ *corev1.Pod, c *corev1.Container) {
				c.TerminationMessagePolicy = corev1.TerminationMessageReadFile
			})},
		{name: "… in a pod without a token", namespace: open, tweak: copied(func(pod *corev1.Pod, _ *corev1.Container) {
			pod.Spec.AutomountServiceAccountToken = ptr.To(false)
		})},
		{name: "… with limits, CPU 100m", namespace: open, tweak: copied(func(pod *corev1.Pod, c *corev1.Container) {
			limited(pod)
			c.Resources = limits("100m")
		})},
		{name: "… with limits, CPU 1", namespace: open, tweak: copied(func(pod *corev1.Pod, c *corev1.Container) {
			limited(pod)
			c.Resources = limits("1")
		})},
	}
}

func annotated(pod *corev1.Pod) {
	pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: asked}
}

func inUserNamespace(pod *corev1.Pod) { pod.Spec.HostUsers = ptr.To(false) }

func withNoop(pod *corev1.Pod) {
	pod.Spec.InitContainers = []corev1.Container{{
		Name: initName, Image: images.Busybox, Command: []string{"true"},
		SecurityContext: pod.Spec.Containers[0].SecurityContext,
	}}
}

// limited gives the app limits, so that the pod is Guaranteed.
func limited(pod *corev1.Pod) { pod.Spec.Containers[0].Resources = limits("100m") }

func limits(cpu string) corev1.ResourceRequirements {
	list := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu),
		corev1.ResourceMemory: resource.MustParse("32Mi")}
	return corev1.ResourceRequirements{Requests: list, Limits: list}
}

// newPod is a pod as "restricted" wants it.
func newPod() *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: ptr.To(int64(0)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To(int64(1000)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: appName, Image: images.App,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}}
}

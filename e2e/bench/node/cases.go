//go:build linux

package main

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// guarded is the namespace of the pods. It is enrolled, and held to "restricted".
const guarded = "bench-guarded"

const (
	appName  = "app"
	initName = "init" // of a container that somebody wrote
)

// safe is what every kubelet allows, so that Kubernetes can set it by itself.
const safe = "net.ipv4.ip_local_port_range = 32768 65535\nnet.ipv4.tcp_keepalive_time = 600\n"

const asked = "net.core.somaxconn = 32768\nnet.ipv4.ip_local_port_range = 32768 65535\n"

// kind is one sort of pod, and what was measured of it.
type kind struct {
	name  string
	tweak func(*corev1.Pod)

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
)

// kinds lists them all.
func kinds() []*kind {
	return []*kind{
		none:     {name: "no init container", tweak: func(*corev1.Pod) {}},
		noop:     {name: "an ordinary one, `true`", tweak: withNoop},
		injected: {name: "the injected one", tweak: annotated},
		noopLimited: {name: "an ordinary one with the injected one's limits",
			tweak: func(pod *corev1.Pod) {
				withNoop(pod)
				limited(pod)
				pod.Spec.InitContainers[0].Resources = limits()
			}},
		injectedLimited: {name: "the injected one, in a pod with limits",
			tweak: func(pod *corev1.Pod) {
				annotated(pod)
				limited(pod)
			}},
		native: {name: "native: `strategy: native-first`, safe names",
			tweak: func(pod *corev1.Pod) {
				pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: safe,
					v1alpha1.StrategyAnnotation: "native-first"}
			}},
		verifying: {name: "verify: `mode: verify`, a name of the node",
			tweak: func(pod *corev1.Pod) {
				pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: "vm.max_map_count >= 1\n",
					v1alpha1.ModeAnnotation: "verify"}
			}},
		raised: {name: "privileged, with a floor: the script", tweak: func(pod *corev1.Pod) {
			pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: "net.core.somaxconn >= " +
				"32768\nnet.ipv4.ip_local_port_range = 32768 65535\n"}
		}},
		noneUserNamespaced: {name: "no init container, `hostUsers: false`", tweak: inUserNamespace},
		noopUserNamespaced: {name: "an ordinary one, `true`, `hostUsers: false`",
			tweak: func(pod *corev1.Pod) {
				withNoop(pod)
				inUserNamespace(pod)
			}},
		userNamespaced: {name: "user-namespace: `hostUsers: false`", tweak: func(pod *corev1.Pod) {
			annotated(pod)
			inUserNamespace(pod)
		}},
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
func limited(pod *corev1.Pod) { pod.Spec.Containers[0].Resources = limits() }

func limits() corev1.ResourceRequirements {
	list := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"),
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

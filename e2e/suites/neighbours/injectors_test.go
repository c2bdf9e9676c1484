package neighbours_test

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
)

// vault makes the changes of hashicorp/vault-k8s: agent-inject/agent/agent.go, Patch. It mounts its volumes in every
// init container, and leaves a pod with its status annotation alone (ShouldInject).
func vault(first bool) neighbour {
	name := "vault-k8s"
	if first {
		name = "vault-k8s with agent-init-first"
	}
	return neighbour{name: name, spares: true, change: func(pod *corev1.Pod) {
		const status = "vault.hashicorp.com/agent-inject-status"
		if pod.Annotations[status] == "injected" {
			return
		}
		secrets := corev1.VolumeMount{Name: "vault-secrets", MountPath: "/vault/secrets"}
		for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			for i := range list {
				addMount(&list[i], secrets)
			}
		}
		agent := corev1.Container{Image: "hashicorp/vault", VolumeMounts: []corev1.VolumeMount{secrets},
			Command: []string{"/bin/sh", "-ec"}}
		agent.Name = "vault-agent-init"
		if first {
			prependInit(pod, agent)
		} else {
			appendInit(pod, agent)
		}
		agent.Name = "vault-agent"
		pod.Spec.Containers = append(pod.Spec.Containers, agent)
		addVolume(pod, corev1.Volume{Name: "vault-secrets",
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
				Medium: corev1.StorageMediumMemory,
			}}}, len(pod.Spec.Volumes))
		annotate(pod, status, "injected")
	}}
}

// istio makes the changes of istio/istio with native sidecars: pkg/kube/inject/webhook.go, reorderPod. On every call
// the proxy moves in front of all init containers, and the one that sets up the network moves behind them.
var istio = neighbour{name: "istio with a native sidecar", change: func(pod *corev1.Pod) {
	resources := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"),
			corev1.ResourceMemory: resource.MustParse("128Mi")},
		Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"),
			corev1.ResourceMemory: resource.MustParse("1Gi")},
	}
	proxy := corev1.Container{
		Name: "istio-proxy", Image: "istio/proxyv2", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
		Resources: resources,
	}
	addEnv(&proxy, corev1.EnvVar{Name: "ISTIO_META_APP_CONTAINERS", Value: pod.Spec.Containers[0].Name})
	remove(pod, "istio-proxy")
	remove(pod, "istio-init")
	prependInit(pod, proxy)
	appendInit(pod, corev1.Container{Name: "istio-init", Image: "istio/proxyv2", Args: []string{"istio-iptables"},
		Resources: resources})
	annotate(pod, "sidecar.istio.io/status", `{"containers":["istio-proxy"]}`)
}}

// linkerd makes the changes of linkerd/linkerd2 with native sidecars: charts/patch/templates/patch.json prepends its
// own init containers, once.
var linkerd = neighbour{name: "linkerd with a native sidecar", spares: true, change: func(pod *corev1.Pod) {
	prependInit(pod, corev1.Container{Name: "linkerd-proxy", Image: "linkerd/proxy",
		RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)})
	prependInit(pod, corev1.Container{Name: "linkerd-init", Image: "linkerd/proxy-init"})
	annotate(pod, "linkerd.io/proxy-version", "stable")
}}

// sorter puts the init containers in another order.
var sorter = neighbour{name: "a webhook that sorts init containers", change: func(pod *corev1.Pod) {
	slices.SortFunc(pod.Spec.InitContainers, func(a, b corev1.Container) int { return strings.Compare(a.Name, b.Name) })
}}

// oldTypes decodes pods into the types of Kubernetes 1.27, and so loses newer fields: a container's AppArmor profile
// (1.30) and its restart policy (1.28).
var oldTypes = neighbour{name: "a webhook built on Kubernetes 1.27", sparesVerify: true, change: func(pod *corev1.Pod) {
	annotate(pod, "example.com/seen", "true")
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if list[i].SecurityContext != nil {
				list[i].SecurityContext.AppArmorProfile = nil
			}
			list[i].RestartPolicy = nil
		}
	}
}}

// cleaner removes labels and annotations that it does not know.
var cleaner = neighbour{name: "a webhook that removes unknown labels and annotations",
	rejection: []string{"the annotation sysctl-injector.dev/status, by which the webhook of sysctl-injector answers" +
		gone}, change: func(pod *corev1.Pod) {
		delete(pod.Labels, "sysctl-injector.dev/injected")
		delete(pod.Annotations, "sysctl-injector.dev/status")
	}}

// remover removes our container.
var remover = neighbour{name: "a webhook that removes the container", removesContainer: true,
	rejection: []string{`the init container "sysctl-injector"` + gone},
	change:    func(pod *corev1.Pod) { remove(pod, "sysctl-injector") }}

// gone is the guard's message if the last webhook has removed what ours added.
const gone = " is gone. The likely cause is another webhook, or a policy, that runs later and removes it; " +
	"exempt it there, " + remedy

// userNamespaces puts pods into user namespaces, in which our container has another form.
var userNamespaces = neighbour{
	name: "a webhook that puts pods into user namespaces", spares: true,
	change: func(pod *corev1.Pod) { pod.Spec.HostUsers = ptr.To(false) },
	asIf:   func(pod *corev1.Pod) { pod.Spec.HostUsers = ptr.To(false) },
}

// podLevel changes the pod and no container, as the webhooks of registries, schedulers and tenants do.
var podLevel = neighbour{name: "webhooks that change the pod and no container", spares: true, removesNative: true,
	change: func(pod *corev1.Pod) {
		pod.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "mirror"}}
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To(int64(1000)), RunAsGroup: ptr.To(int64(1000)),
			FSGroup:            ptr.To(int64(2000)),
			SupplementalGroups: []int64{3000}, SeccompProfile: &corev1.SeccompProfile{
				Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
		pod.Spec.ShareProcessNamespace = ptr.To(true)
		pod.Spec.EnableServiceLinks = ptr.To(false)
		pod.Spec.DNSConfig = &corev1.PodDNSConfig{Options: []corev1.PodDNSConfigOption{{Name: "ndots",
			Value: ptr.To("2")}}}
		pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.ScheduleAnyway,
		}}
		annotate(pod, "example.com/owner", "team")
	}}

func prependInit(pod *corev1.Pod, c corev1.Container) {
	if !hasInit(pod, c.Name) {
		pod.Spec.InitContainers = append([]corev1.Container{c}, pod.Spec.InitContainers...)
	}
}

func appendInit(pod *corev1.Pod, c corev1.Container) {
	if !hasInit(pod, c.Name) {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
}

func hasInit(pod *corev1.Pod, name string) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == name })
}

func remove(pod *corev1.Pod, name string) {
	pod.Spec.InitContainers = slices.DeleteFunc(pod.Spec.InitContainers,
		func(c corev1.Container) bool { return c.Name == name })
}

func annotate(pod *corev1.Pod, key, value string) {
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[key] = value
}

// Package randompod makes random pods that the API server accepts and that ask for sysctls.
package randompod

import (
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Generator makes the pods.
type Generator struct{ *rand.Rand }

func (g Generator) maybe() bool { return g.IntN(2) == 0 }

func pick[T any](g Generator, from ...T) T { return from[g.IntN(len(from))] }

// Pod returns a pod, and what our container's arguments have to be.
func (g Generator) Pod(name string) (*corev1.Pod, []string) {
	annotation, args := g.sysctls()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name,
			Annotations: map[string]string{v1alpha1.SysctlsAnnotation: annotation}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  pick(g, nil, new(true), new(false)),
			TerminationGracePeriodSeconds: pick(g, nil, ptr.To(int64(5))),
			RestartPolicy: pick(g, corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure,
				corev1.RestartPolicyNever),
			DNSPolicy:             pick(g, "", corev1.DNSClusterFirst, corev1.DNSDefault),
			NodeSelector:          pick(g, nil, map[string]string{"disk/kind": "ssd"}),
			ShareProcessNamespace: pick(g, nil, new(true)),
			HostPID:               g.IntN(8) == 0,
			HostUsers:             pick(g, nil, nil, new(true)),
			Hostname:              pick(g, "", "box"),
			ImagePullSecrets:      pick(g, nil, []corev1.LocalObjectReference{{Name: "mirror"}}),
			EnableServiceLinks:    pick(g, nil, new(false)),
		},
	}
	if pod.Spec.HostPID {
		pod.Spec.ShareProcessNamespace = nil
	}
	if g.maybe() {
		pod.Labels = map[string]string{"app.kubernetes.io/name": "web", "tier": "front"}
	}
	if g.maybe() {
		pod.Annotations["example.com/text"] = pick(g, "", "quotes \" and \\ and /", "ünïcödé ☃ 𝄞", "line\none\ttwo",
			strings.Repeat("long ", 2000))
		pod.Annotations["example.com/dots.and_bars"] = "x"
	}
	if g.maybe() {
		pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	if g.maybe() {
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{
			RunAsNonRoot: pick(g, nil, new(true)), RunAsUser: pick(g, nil, ptr.To(int64(1000))),
			FSGroup:        pick(g, nil, ptr.To(int64(2000))),
			SeccompProfile: pick(g, nil, &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}),
			Sysctls:        pick(g, nil, []corev1.Sysctl{{Name: "kernel.shm_rmid_forced", Value: "1"}}),
		}
	}
	g.volumes(&pod.Spec)
	for i := range g.IntN(4) {
		container := g.container(&pod.Spec, fmt.Sprintf("init-%d", i))
		container.RestartPolicy = pick(g, nil, nil, ptr.To(corev1.ContainerRestartPolicyAlways))
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, container)
	}
	for i := range 1 + g.IntN(3) {
		container := g.container(&pod.Spec, fmt.Sprintf("main-%d", i))
		if g.maybe() {
			container.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt32(8080)}}}
			container.Ports = []corev1.ContainerPort{{Name: fmt.Sprintf("http-%d", i), ContainerPort: 8080}}
		}
		pod.Spec.Containers = append(pod.Spec.Containers, container)
	}
	if g.IntN(6) == 0 {
		pod.Spec.Resources = &corev1.ResourceRequirements{Requests: Quantities("8", "8Gi"),
			Limits: Quantities("8", "8Gi")}
	}
	return pod, args
}

// sysctls returns an annotation, in one of the many ways to write it, and the arguments that follow from it.
func (g Generator) sysctls() (annotation string, args []string) {
	values := [][2]string{
		{"net.core.somaxconn", "1024"}, {"net.ipv4.ip_local_port_range", "1024 65535"},
		{"kernel.sem", "250 32000 32 128"},
		{"kernel.shmmax", "68719476736"}, {"net.ipv4.tcp_rmem", "4096 131072 33554432"}, {"fs.mqueue.msg_max", "100"},
		{"net.ipv4.conf.eth0.forwarding", "1"},
	}
	g.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	var text strings.Builder
	for _, value := range values[:1+g.IntN(len(values))] {
		text.WriteString(pick(g, "", "\n", "# a comment\n", "  ; another\n"))
		name := pick(g, value[0], strings.ReplaceAll(value[0], ".", "/"))
		blanks := pick(g, " ", "  ", "\t")
		text.WriteString(pick(g, "", " ", "\t") + name + pick(g, "=", " = ", "\t=  ") +
			strings.ReplaceAll(value[1], " ", blanks) + pick(g, "\n", " \n", "\r\n"))
		args = append(args, value[0]+"="+value[1])
	}
	return text.String(), args
}

func (g Generator) volumes(spec *corev1.PodSpec) {
	sources := []corev1.VolumeSource{
		{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: pick(g, nil, ptr.To(resource.MustParse("1Gi")))}},
		{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
		{Secret: &corev1.SecretVolumeSource{SecretName: "key"}},
		{HostPath: &corev1.HostPathVolumeSource{Path: "/var/log"}},
	}
	for i := range g.IntN(4) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: fmt.Sprintf("volume-%d", i),
			VolumeSource: pick(g, sources...)})
	}
}

func (g Generator) container(spec *corev1.PodSpec, name string) corev1.Container {
	container := corev1.Container{
		Name: name,
		Image: pick(g, "busybox", "registry.example.com/team/app:v1.2.3",
			"nginx@sha256:"+strings.Repeat("0123456789abcdef", 4)),
		ImagePullPolicy: pick(g, "", corev1.PullAlways, corev1.PullNever),
		Command:         pick(g, nil, []string{"sh", "-c", "echo \"$HOME\" && sleep 1; # 'x'"}),
		Env: pick(g, nil, []corev1.EnvVar{{Name: "A", Value: "b"}, {Name: "POD",
			ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}),
		SecurityContext: pick(g, nil, &corev1.SecurityContext{AllowPrivilegeEscalation: new(false),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			&corev1.SecurityContext{Privileged: new(true)}),
		Stdin: g.maybe(),
	}
	container.Resources = pick(g,
		corev1.ResourceRequirements{},
		corev1.ResourceRequirements{},
		corev1.ResourceRequirements{Requests: Quantities("100m", "")},
		corev1.ResourceRequirements{Limits: Quantities("500m", "1Gi")},
		corev1.ResourceRequirements{Requests: Quantities("0", ""), Limits: Storage("1Gi")},
	)
	for _, volume := range spec.Volumes {
		if g.maybe() {
			container.VolumeMounts = append(container.VolumeMounts,
				corev1.VolumeMount{Name: volume.Name, MountPath: "/mnt/" + volume.Name, ReadOnly: g.maybe()})
		}
	}
	return container
}

// Quantities are an amount of CPU and of memory; "" for none.
func Quantities(cpu, memory string) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, quantity := range map[corev1.ResourceName]string{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory} {
		if quantity != "" {
			list[name] = resource.MustParse(quantity)
		}
	}
	return list
}

// Storage is an amount of ephemeral storage.
func Storage(quantity string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse(quantity)}
}

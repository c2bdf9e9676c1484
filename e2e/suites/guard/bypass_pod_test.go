package guard_test

import (
	corev1 "k8s.io/api/core/v1"
)

// places are attempts to use the reserved name, or its privileges, in another place.
var places = []attempt{
	{"ours as the second init container", func(pod *corev1.Pod) {
		pod.Spec.InitContainers = append([]corev1.Container{plainContainer("first")}, pod.Spec.InitContainers...)
	}, theStandard, standard(onlyTheFirst, oursIsUnconfined, oursIsPrivileged)},
	{"ours after a sidecar", func(pod *corev1.Pod) {
		sidecar := plainContainer("sidecar")
		sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		pod.Spec.InitContainers = append([]corev1.Container{sidecar}, pod.Spec.InitContainers...)
	}, theStandard, standard(onlyTheFirst, oursIsUnconfined, oursIsPrivileged)},
	{"ours as an ordinary container", func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, pod.Spec.InitContainers...)
		pod.Spec.InitContainers = nil
	}, theStandard, standard(onlyTheFirst, oursIsUnconfined, oursIsPrivileged)},
	{"an ordinary container under the reserved name, harmless", func(pod *corev1.Pod) {
		pod.Spec.Containers[0].Name = "sysctl-injector"
		pod.Spec.InitContainers = nil
	}, theStandard, standard(onlyTheFirst)},
	{"an init container under the reserved name, harmless", func(pod *corev1.Pod) {
		pod.Spec.InitContainers = []corev1.Container{plainContainer("sysctl-injector")}
	}, theStandard, standard(differsInImage("args, command, image, securityContext, terminationMessagePolicy",
		"registry.example.com/app:1"))},
	{"ours twice", func(pod *corev1.Pod) {
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, pod.Spec.InitContainers[0])
	}, theAPIServer, `Pod "pod" is invalid: spec.initContainers[1].name: Duplicate value: "sysctl-injector"`},
	{"ours, and an ordinary container of the name", func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, pod.Spec.InitContainers[0])
	}, theAPIServer, `Pod "pod" is invalid: spec.initContainers[0].name: Duplicate value: "sysctl-injector"`},
	{"ours as an ephemeral container of a new pod", func(pod *corev1.Pod) {
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{
			{EphemeralContainerCommon: corev1.EphemeralContainerCommon(pod.Spec.InitContainers[0])}}
	}, theAPIServer, `Pod "pod" is invalid: [spec.ephemeralContainers[0].name: Duplicate value: "sysctl-injector", ` +
		`spec.ephemeralContainers: Forbidden: cannot be set on create]`},
	{"ours under another name", func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Name = "sysctl-injector-2" },
		theStandard, standard(unconfined("sysctl-injector-2"),
			`privileged (container "sysctl-injector-2" must not set securityContext.privileged=true)`)},
	{"ours under a name that looks the same",
		func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Name = "sysctl-lnjector" },
		theStandard, standard(unconfined("sysctl-lnjector"),
			`privileged (container "sysctl-lnjector" must not set securityContext.privileged=true)`)},
	{"ours under a name in another script",
		func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Name = "sysctl-\u0456njector" },
		theAPIServer, "Pod \"pod\" is invalid: spec.initContainers[0].name: Invalid value: \"sysctl-\u0456njector\""},
	{"ours in capitals", func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Name = "Sysctl-Injector" },
		theAPIServer, `Pod "pod" is invalid: spec.initContainers[0].name: Invalid value: "Sysctl-Injector"`},
	{"ours with a blank after its name", func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Name = "sysctl-injector " },
		theAPIServer, `Pod "pod" is invalid: spec.initContainers[0].name: Invalid value: "sysctl-injector "`},
	{"ours for Windows", func(pod *corev1.Pod) {
		pod.Spec.OS = &corev1.PodOS{Name: corev1.Windows}
	}, theAPIServer,
		`Pod "pod" is invalid: [spec.securityContext.seccompProfile: Forbidden: cannot be set for a windows pod`},
	{"ours in a process namespace that an ephemeral container will share, at once", func(pod *corev1.Pod) {
		pod.Spec.ShareProcessNamespace = new(true)
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{
			{EphemeralContainerCommon: corev1.EphemeralContainerCommon(plainContainer("debugger"))}}
	}, theAPIServer, `Pod "pod" is invalid: spec.ephemeralContainers: Forbidden: cannot be set on create`},
	{"a second privileged init container beside ours", func(pod *corev1.Pod) {
		second := ours("net.core.somaxconn=1")
		second.Name = "more"
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, second)
	}, theStandard, standard(unconfined("more"),
		`privileged (container "more" must not set securityContext.privileged=true)`)},
	{"a mirror pod, whose service account is unknown", func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "a"}
	}, theAPIServer, `pods "pod" is forbidden: a mirror pod may not reference service accounts`},
}

// neighbours are attempts to get a second privileged container admitted beside the injected one.
var neighbours = []attempt{
	{"the app privileged", func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	}, theStandard, standard(`privileged (container "app" must not set securityContext.privileged=true)`)},
	{"the app and an init container privileged", func(pod *corev1.Pod) {
		init := plainContainer("setup")
		init.SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, init)
		pod.Spec.Containers[0].SecurityContext = init.SecurityContext
	}, theStandard, standard(`privileged (containers "setup", "app" must not set securityContext.privileged=true)`)},
	{"a capability for the app", func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN", "NET_ADMIN"}}}
	}, theStandard, standard(`non-default capabilities (container "app" must not include "NET_ADMIN", "SYS_ADMIN" in ` +
		`securityContext.capabilities.add)`)},
	{"the node's network", func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }, theStandard,
		standard(`host namespaces (hostNetwork=true)`)},
	{"the node's processes", func(pod *corev1.Pod) { pod.Spec.HostPID = true }, theStandard,
		standard(`host namespaces (hostPID=true)`)},
	{"the node's IPC namespace", func(pod *corev1.Pod) { pod.Spec.HostIPC = true }, theStandard,
		standard(`host namespaces (hostIPC=true)`)},
	{"all of the node's namespaces", func(pod *corev1.Pod) {
		pod.Spec.HostNetwork, pod.Spec.HostPID, pod.Spec.HostIPC = true, true, true
	}, theStandard, standard(`host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)`)},
	{"a path of the node", func(pod *corev1.Pod) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "root",
			VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}})
	}, theStandard, standard(`hostPath volumes (volume "root")`)},
	{"the app's /proc without masks, in a user namespace of the node's", func(pod *corev1.Pod) {
		pod.Spec.Containers[0].SecurityContext.ProcMount = new(corev1.UnmaskedProcMount)
	}, theAPIServer, `Pod "pod" is invalid: spec.containers[0].securityContext.procMount: Invalid value: "Unmasked"`},
	{"the pod's seccomp off", func(pod *corev1.Pod) {
		pod.Spec.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	}, theStandard, standard(`seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")`)},
	{"AppArmor off by annotation", func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}
	}, theStandard,
		standard(`forbidden AppArmor profiles (container "app" and annotation must not set AppArmor profile type to ` +
			`"Unconfined", "container.apparmor.security.beta.kubernetes.io/app="unconfined"")`)},
	{"an unsafe sysctl by the API's own field", func(pod *corev1.Pod) {
		pod.Spec.SecurityContext.Sysctls = []corev1.Sysctl{{Name: "kernel.msgmax", Value: "1"}}
	}, theStandard, standard(`forbidden sysctls (kernel.msgmax)`)},
	{"the status annotation, which decides nothing, and a sysctl that was not granted", func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{"sysctl-injector.dev/status": `{"sysctls":["net.ipv4.tcp_syncookies=1"]}`}
		pod.Spec.InitContainers[0].Args = []string{"-w"}
	}, theStandard, standard(differsIn("args"), oursIsUnconfined, oursIsPrivileged)},
	{"the label of an injected pod, and no container of ours", func(pod *corev1.Pod) {
		pod.Labels = map[string]string{"sysctl-injector.dev/injected": "true"}
		pod.Spec.InitContainers[0].Name = "init"
	}, theStandard, standard(unconfined("init"),
		`privileged (container "init" must not set securityContext.privileged=true)`)},
}

// kernels are attempts at sysctls of the whole kernel, all granted, in pods that share one.
var kernels = []attempt{
	{"a node-level sysctl", sets("vm.max_map_count=262144"), theStandard,
		standard(`node-level sysctls (container "sysctl-injector" must not set "vm.max_map_count" without a ` +
			`RuntimeClass that gives the pod a kernel of its own)`)},
	{"a node-level sysctl among others", sets("net.core.somaxconn=1", "vm.max_map_count=262144"), theStandard,
		standard(`node-level sysctls (container "sysctl-injector" must not set "vm.max_map_count" without a ` +
			`RuntimeClass that gives the pod a kernel of its own)`)},
	{"a net.* name that a pod's namespace does not isolate", sets("net.netfilter.nf_conntrack_max=1"), theStandard,
		standard(`node-level sysctls (container "sysctl-injector" must not set "net.netfilter.nf_conntrack_max" ` +
			`without a RuntimeClass that gives the pod a kernel of its own)`)},
	{"a RuntimeClass whose name alone is a guest's", under("kata", "vm.max_map_count=262144"), theKernel,
		`node-level sysctls (container "sysctl-injector" must not set "vm.max_map_count": RuntimeClass "kata" is not ` +
			`known to give a pod a kernel of its own: it has no label sysctl-injector.dev/kernel=guest, and its ` +
			`handler "runc" is not one of the guest handlers)`},
	{"a RuntimeClass of the node's kernel, and a net.* name that is not isolated",
		under("kata", "net.netfilter.nf_conntrack_max=1"), theKernel,
		`node-level sysctls (container "sysctl-injector" must not set "net.netfilter.nf_conntrack_max": RuntimeClass ` +
			`"kata" is not known to give a pod a kernel of its own: it has no label ` +
			`sysctl-injector.dev/kernel=guest, and its handler "runc" is not one of the guest handlers)`},
	{"a RuntimeClass that does not exist", under("none", "vm.max_map_count=262144"), theAPIServer,
		`pods "pod" is forbidden: pod rejected: RuntimeClass "none" not found`},
	{"a user namespace in a guest", func(pod *corev1.Pod) {
		under("labelled", "vm.max_map_count=262144")(pod)
		pod.Spec.HostUsers = new(false)
	}, theStandard, standard(`node-level sysctls (container "sysctl-injector" must not set "vm.max_map_count" with ` +
		`hostUsers=false)`)},
}

func sets(args ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Args = args }
}

func under(runtimeClass string, args ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		sets(args...)(pod)
		pod.Spec.RuntimeClassName = &runtimeClass
	}
}

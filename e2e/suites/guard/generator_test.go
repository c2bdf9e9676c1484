package guard_test

import (
	"fmt"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// generator makes pods that differ from the plain one in few or many of the fields that Pod Security admission checks.
type generator struct {
	*rand.Rand
	calm bool
}

func newGenerator(seed uint64) generator {
	random := rand.New(rand.NewPCG(seed, 0))
	return generator{random, random.IntN(4) > 0}
}

// in returns true in one of the number of cases, and less often if the generator is calm.
func (g generator) in(cases int) bool {
	if g.calm {
		cases *= 6
	}
	return g.IntN(cases) == 0
}

// pick picks one of several values. The first value violates no standard.
func pick[T any](g generator, from ...T) T {
	if g.calm && g.IntN(8) > 0 {
		return from[0]
	}
	return from[g.IntN(len(from))]
}

func (g generator) pod() *corev1.Pod {
	pod := plainPod()
	if g.in(12) {
		g.windows(pod)
		return pod
	}
	spec := &pod.Spec
	spec.HostUsers = pick(g, nil, nil, new(true), new(false), new(false))
	ownUsers := spec.HostUsers != nil && !*spec.HostUsers
	if !ownUsers {
		spec.HostNetwork, spec.HostPID, spec.HostIPC = g.in(30), g.in(40), g.in(40)
	}
	spec.ShareProcessNamespace = pick(g, nil, new(!spec.HostPID))
	g.podSecurity(spec)
	names := 0
	containers := func(count int, generate func(string) corev1.Container) (list []corev1.Container) {
		for range count {
			names++
			list = append(list, generate(fmt.Sprintf("c%d", names)))
		}
		return list
	}
	spec.InitContainers = containers(g.IntN(3),
		func(name string) corev1.Container { return g.initContainer(name, spec.HostNetwork, ownUsers) })
	spec.Containers = containers(1+g.IntN(3),
		func(name string) corev1.Container { return g.container(name, spec.HostNetwork, ownUsers) })
	for n := range g.IntN(4) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: fmt.Sprintf("v%d", n), VolumeSource: g.volume()})
	}
	if g.in(10) {
		pod.Annotations = map[string]string{"container.apparmor.security.beta.kubernetes.io/" +
			spec.Containers[0].Name: pick(g, "runtime/default", "localhost/a", "unconfined")}
		spec.Containers[0].SecurityContext = nil // the field and the annotation must agree
		if spec.SecurityContext != nil {
			spec.SecurityContext.AppArmorProfile = nil
		}
	}
	return pod
}

func (g generator) podSecurity(spec *corev1.PodSpec) {
	if g.in(12) {
		spec.SecurityContext = nil
		return
	}
	sc := spec.SecurityContext
	sc.RunAsNonRoot = pick(g, sc.RunAsNonRoot, sc.RunAsNonRoot, sc.RunAsNonRoot, sc.RunAsNonRoot, nil, new(false))
	sc.RunAsUser = pick(g, sc.RunAsUser, sc.RunAsUser, nil, nil, new(int64(0)), new(int64(1)))
	sc.SeccompProfile = pick(g, sc.SeccompProfile, sc.SeccompProfile, g.seccomp())
	sc.AppArmorProfile = pick(g, nil, nil, g.appArmor())
	sc.SELinuxOptions = pick(g, nil, nil, nil, g.seLinux())
	for _, name := range []string{"kernel.shm_rmid_forced", "net.ipv4.tcp_rmem", "net.ipv4.tcp_notsent_lowat",
		"net.ipv4.ip_local_port_range", "net.core.somaxconn", "kernel.sem"} {
		if g.in(25) && !spec.HostNetwork && !spec.HostIPC {
			sc.Sysctls = append(sc.Sysctls, corev1.Sysctl{Name: name, Value: "1"})
		}
	}
}

func (g generator) seccomp() *corev1.SeccompProfile {
	return pick(g, nil, nil,
		&corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		&corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: new("a.json")},
		&corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined})
}

func (g generator) appArmor() *corev1.AppArmorProfile {
	return pick(g, nil,
		&corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault},
		&corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: new("a")},
		&corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined})
}

func (g generator) seLinux() *corev1.SELinuxOptions {
	return &corev1.SELinuxOptions{
		Type: pick(g, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t", "spc_t",
			"unconfined_t", "container_file_t"),
		User:  pick(g, "", "", "", "system_u"),
		Role:  pick(g, "", "", "", "system_r"),
		Level: pick(g, "", "s0:c1,c2"),
	}
}

func (g generator) container(name string, hostNetwork, ownUsers bool) corev1.Container {
	container := corev1.Container{Name: name, Image: "registry.example.com/app:1",
		SecurityContext: g.security(ownUsers)}
	for n := range g.IntN(3) {
		port := corev1.ContainerPort{Name: fmt.Sprintf("%s-%d", name, n), ContainerPort: int32(1024 + g.IntN(60000))}
		if hostNetwork || g.in(25) {
			port.HostPort = port.ContainerPort
		}
		container.Ports = append(container.Ports, port)
	}
	container.LivenessProbe, container.ReadinessProbe, container.StartupProbe = g.probe(), g.probe(), g.probe()
	if g.in(6) {
		container.Lifecycle = &corev1.Lifecycle{PostStart: g.handler(), PreStop: g.handler()}
	}
	return container
}

// initContainer makes one that ends, or one that stays, which alone may have probes.
func (g generator) initContainer(name string, hostNetwork, ownUsers bool) corev1.Container {
	container := g.container(name, hostNetwork, ownUsers)
	if g.in(3) {
		container.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		return container
	}
	container.LivenessProbe, container.ReadinessProbe, container.StartupProbe, container.Lifecycle = nil, nil, nil, nil
	return container
}

func (g generator) security(ownUsers bool) *corev1.SecurityContext {
	sc := plainContainer("").SecurityContext
	if g.in(10) {
		return pick(g, &corev1.SecurityContext{}, nil)
	}
	sc.AllowPrivilegeEscalation = pick(g, new(false), new(false), new(false), new(false), new(false), nil, new(true))
	if sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation {
		sc.Privileged = pick(g, nil, nil, new(false), new(true))
	}
	sc.RunAsNonRoot = pick(g, nil, nil, nil, nil, new(true), new(true), new(false))
	sc.RunAsUser = pick(g, nil, nil, nil, nil, new(int64(1)), new(int64(7)), new(int64(0)))
	sc.SeccompProfile = pick(g, nil, nil, g.seccomp())
	sc.AppArmorProfile = pick(g, nil, nil, nil, nil, nil, g.appArmor())
	if g.in(12) {
		sc.SELinuxOptions = g.seLinux()
	}
	if ownUsers {
		sc.ProcMount = pick(g, nil, nil, new(corev1.DefaultProcMount), new(corev1.UnmaskedProcMount))
	}
	if g.in(4) {
		sc.Capabilities = g.capabilities()
	}
	return sc
}

func (g generator) capabilities() *corev1.Capabilities {
	capabilities := &corev1.Capabilities{Drop: pick(g, []corev1.Capability{"ALL"}, nil, []corev1.Capability{"KILL"},
		[]corev1.Capability{"KILL", "ALL"})}
	for range g.IntN(3) {
		capabilities.Add = append(capabilities.Add,
			pick[corev1.Capability](g, "NET_BIND_SERVICE", "NET_BIND_SERVICE", "CHOWN", "SETUID", "NET_RAW",
				"NET_ADMIN", "SYS_PTRACE", "net_bind_service", "CAP_CHOWN"))
	}
	return capabilities
}

func (g generator) probe() *corev1.Probe {
	if !g.in(6) {
		return nil
	}
	handler := g.handler()
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: handler.Exec, HTTPGet: handler.HTTPGet,
		TCPSocket: handler.TCPSocket}}
}

func (g generator) handler() *corev1.LifecycleHandler {
	host := pick(g, "", "", "", "", "", "example.com", "10.0.0.1")
	return pick(g,
		&corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}},
		&corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(80), Host: host}},
		&corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(80), Host: host}})
}

func (g generator) volume() corev1.VolumeSource {
	harmless := []corev1.VolumeSource{
		{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "a"}}},
		{Secret: &corev1.SecretVolumeSource{SecretName: "a"}},
		{DownwardAPI: &corev1.DownwardAPIVolumeSource{}},
		{Projected: &corev1.ProjectedVolumeSource{}},
		{CSI: &corev1.CSIVolumeSource{Driver: "a.example.com"}},
		{Image: &corev1.ImageVolumeSource{Reference: "registry.example.com/data:1"}},
		{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "a"}},
		{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: claimTemplate()}},
	}
	restricted := []corev1.VolumeSource{
		{HostPath: &corev1.HostPathVolumeSource{Path: "/"}},
		{NFS: &corev1.NFSVolumeSource{Server: "a", Path: "/"}},
		{GCEPersistentDisk: &corev1.GCEPersistentDiskVolumeSource{PDName: "a"}},
		{AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: "a"}},
		{FlexVolume: &corev1.FlexVolumeSource{Driver: "a/b"}},
		{ISCSI: &corev1.ISCSIVolumeSource{TargetPortal: "10.0.0.1", IQN: "iqn.2001-04.com.example:a"}},
		{FC: &corev1.FCVolumeSource{TargetWWNs: []string{"a"}, Lun: new(int32(0))}},
		{CephFS: &corev1.CephFSVolumeSource{Monitors: []string{"a"}}},
	}
	if g.in(12) {
		return pick(g, restricted...)
	}
	return pick(g, harmless...)
}

func claimTemplate() *corev1.PersistentVolumeClaimTemplate {
	return &corev1.PersistentVolumeClaimTemplate{Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: oneGigabyte}},
	}}
}

// windows makes a pod one for Windows nodes. The API server accepts no Linux-only fields in it.
func (g generator) windows(pod *corev1.Pod) {
	spec := &pod.Spec
	spec.OS = &corev1.PodOS{Name: corev1.Windows}
	hostProcess := g.in(4)
	spec.HostNetwork = hostProcess
	spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: pick(g, nil, new(true), new(true), new(false))}
	if hostProcess {
		spec.SecurityContext.WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: new(true)}
	}
	spec.Containers = nil
	for n := range 1 + g.IntN(2) {
		container := corev1.Container{Name: fmt.Sprintf("c%d", n), Image: "registry.example.com/app:1"}
		container.SecurityContext = pick(g, nil,
			&corev1.SecurityContext{RunAsNonRoot: pick(g, nil, new(true), new(false))})
		if hostProcess && container.SecurityContext != nil {
			container.SecurityContext.WindowsOptions = pick(g, nil,
				&corev1.WindowsSecurityContextOptions{HostProcess: new(true)})
		}
		spec.Containers = append(spec.Containers, container)
	}
	if g.in(4) {
		spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: g.volume()}}
	}
}

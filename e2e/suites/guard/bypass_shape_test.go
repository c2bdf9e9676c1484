package guard_test

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// shape is an attempt to get an injected container admitted that differs from the webhook's.
type shape struct {
	name    string
	tweak   func(*corev1.Container)
	differs string   // the fields that the guard names
	besides []string // what the standard says of the container, if it is not just privileged
}

func (s shape) want() string {
	container := ours()
	s.tweak(&container)
	violations := []string{differsIn(s.differs)}
	if slices.Contains(strings.Split(s.differs, ", "), "image") {
		violations[0] = differsInImage(s.differs, container.Image)
	}
	if sc := container.SecurityContext; sc != nil && sc.AppArmorProfile != nil &&
		sc.AppArmorProfile.Type == corev1.AppArmorProfileTypeUnconfined {
		violations = append(violations, oursIsUnconfined)
	}
	if s.besides == nil {
		return standard(append(violations, oursIsPrivileged)...)
	}
	return standard(append(violations, s.besides...)...)
}

func mount(name, path string, tweaks ...func(*corev1.VolumeMount)) func(*corev1.Container) {
	return func(c *corev1.Container) {
		m := corev1.VolumeMount{Name: name, MountPath: path, ReadOnly: true}
		for _, tweak := range tweaks {
			tweak(&m)
		}
		c.VolumeMounts = []corev1.VolumeMount{m}
	}
}

const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

var anHTTPGet = &corev1.HTTPGetAction{Port: intstr.FromInt32(80)}

// The volume "projected" is in every pod of these rows; the API server mounts no token where one is mounted already.
var shapes = []shape{
	// Another image.
	{"another image", func(c *corev1.Container) { c.Image = "registry.example.com/shell:1" }, "image", nil},
	{"another tag of the image", func(c *corev1.Container) { c.Image = "docker.io/library/busybox:1.37" }, "image",
		nil},
	{"no tag", func(c *corev1.Container) { c.Image = "docker.io/library/busybox" }, "image", nil},
	{"the tag latest", func(c *corev1.Container) { c.Image = "docker.io/library/busybox:latest" }, "image", nil},
	{"a digest that is too short", func(c *corev1.Container) {
		c.Image = currentImage + "@sha256:" +
			strings.Repeat("0", 63)
	}, "image", nil},
	{"a digest and more", func(c *corev1.Container) {
		c.Image = currentImage + "@sha256:" + strings.Repeat("0", 64) +
			"x"
	}, "image", nil},
	{"a digest of another kind", func(c *corev1.Container) {
		c.Image = currentImage + "@sha512:" +
			strings.Repeat("0", 64)
	}, "image", nil},
	{"another tag and a digest", func(c *corev1.Container) {
		c.Image = "docker.io/library/busybox:1.37@sha256:" + strings.Repeat("0", 64)
	}, "image", nil},
	{"the short name of the image", func(c *corev1.Container) { c.Image = "busybox:1.36" }, "image", nil},
	{"the image of another registry",
		func(c *corev1.Container) { c.Image = "evil.example.com/docker.io/library/busybox:1.36" }, "image", nil},
	{"another repository that ends the same",
		func(c *corev1.Container) { c.Image = "docker.io/evil/library/busybox:1.36" }, "image", nil},
	{"the image in capitals", func(c *corev1.Container) { c.Image = "docker.io/library/BusyBox:1.36" }, "image", nil},
	{"the image with a letter that looks the same",
		func(c *corev1.Container) { c.Image = "docker.io/library/busyb\u043ex:1.36" }, "image", nil},
	{"the image's name continued", func(c *corev1.Container) { c.Image = currentImage + "1" }, "image", nil},

	// Another command.
	{"no command", func(c *corev1.Container) { c.Command = nil }, "command", nil},
	{"a shell", func(c *corev1.Container) { c.Command = []string{"sh", "-c"} }, "command", nil},
	{"the command by its path", func(c *corev1.Container) { c.Command = []string{"/bin/sysctl", "-w"} },
		"command", nil},
	{"the command without -w", func(c *corev1.Container) { c.Command = []string{"sysctl"} }, "command", nil},
	{"the command in another order", func(c *corev1.Container) { c.Command = []string{"-w", "sysctl"} },
		"command", nil},
	{"-w twice", func(c *corev1.Container) { c.Command = []string{"sysctl", "-w", "-w"} }, "command", nil},
	{"-p and a file", func(c *corev1.Container) { c.Command = []string{"sysctl", "-p"} }, "command", nil},
	{"additional -q", func(c *corev1.Container) { c.Command = []string{"sysctl", "-w", "-q"} }, "command", nil},
	{"additional -e", func(c *corev1.Container) { c.Command = []string{"sysctl", "-e", "-w"} }, "command", nil},
	{"--system", func(c *corev1.Container) { c.Command = []string{"sysctl", "--system"} }, "command", nil},
	{"a name in the command", func(c *corev1.Container) {
		c.Command = []string{"sysctl", "-w",
			"kernel.core_pattern=x"}
	}, "command", nil},
	{"the command in one word", func(c *corev1.Container) { c.Command = []string{"sysctl -w"} }, "command", nil},
	{"another program of the image", func(c *corev1.Container) { c.Command = []string{"busybox", "sysctl", "-w"} },
		"command", nil},
	{"the arguments in the command", func(c *corev1.Container) {
		c.Command, c.Args = append(c.Command, c.Args...),
			nil
	}, "args, command", nil},

	// More than the webhook writes.
	{"an environment", func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "LD_PRELOAD", Value: "/x.so"}} },
		"env", nil},
	{"an environment from a ConfigMap", func(c *corev1.Container) {
		c.EnvFrom = []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "a"}}}}
	}, "envFrom", nil},
	{"a working directory", func(c *corev1.Container) { c.WorkingDir = "/tmp" }, "workingDir", nil},
	{"a port", func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{ContainerPort: 80}} }, "ports", nil},
	{"a port of the node", func(c *corev1.Container) {
		c.Ports = []corev1.ContainerPort{{ContainerPort: 80,
			HostPort: 80}}
	}, "ports",
		[]string{`hostPort (container "sysctl-injector" uses hostPort 80)`, oursIsPrivileged}},
	{"standard input", func(c *corev1.Container) { c.Stdin = true }, "stdin", nil},
	{"standard input, once", func(c *corev1.Container) { c.Stdin, c.StdinOnce = true, true }, "stdin, stdinOnce", nil},
	{"a terminal", func(c *corev1.Container) { c.TTY = true }, "tty", nil},
	{"the restart policy of a sidecar",
		func(c *corev1.Container) { c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways) }, "restartPolicy", nil},
	{"a sidecar's lifecycle hook", func(c *corev1.Container) {
		c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		c.Lifecycle = &corev1.Lifecycle{
			PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"sh"}}}}
	}, "lifecycle, restartPolicy", nil},
	{"a sidecar's startup probe", func(c *corev1.Container) {
		c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		c.StartupProbe = &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sh"}}}}
	}, "restartPolicy, startupProbe", nil},
	{"a sidecar's liveness probe", func(c *corev1.Container) {
		c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: anHTTPGet}}
	}, "livenessProbe, restartPolicy", nil},
	{"a sidecar's readiness probe", func(c *corev1.Container) {
		c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: anHTTPGet}}
	}, "readinessProbe, restartPolicy", nil},
	{"a resize policy", func(c *corev1.Container) {
		c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		c.ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceCPU,
			RestartPolicy: corev1.NotRequired}}
	}, "resizePolicy, restartPolicy", nil},
	{"another file for the termination message",
		func(c *corev1.Container) { c.TerminationMessagePath = "/proc/sys/kernel/core_pattern" },
		"terminationMessagePath", nil},
	{"another policy for the termination message",
		func(c *corev1.Container) { c.TerminationMessagePolicy = corev1.TerminationMessageReadFile },
		"terminationMessagePolicy", nil},
	{"a block device", func(c *corev1.Container) {
		c.VolumeDevices = []corev1.VolumeDevice{{Name: "claim", DevicePath: "/dev/sda"}}
	}, "volumeDevices", nil},
	{"several things at once", func(c *corev1.Container) {
		c.TTY, c.WorkingDir, c.Image, c.Command, c.Args = true, "/", "a", nil, nil
	}, "args, command, image, tty, workingDir", nil},

	// Other privileges.
	{"no security context", func(c *corev1.Container) { c.SecurityContext = nil }, "securityContext", []string{}},
	{"not privileged", func(c *corev1.Container) { c.SecurityContext.Privileged = new(false) }, "securityContext",
		[]string{}},
	{"a capability", func(c *corev1.Container) {
		c.SecurityContext.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}}
	}, "securityContext",
		[]string{`non-default capabilities (container "sysctl-injector" must not include "SYS_ADMIN" in ` +
			`securityContext.capabilities.add)`, oursIsPrivileged}},
	{"a capability less", func(c *corev1.Container) {
		c.SecurityContext.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"KILL"}}
	}, "securityContext", nil},
	{"another user", func(c *corev1.Container) { c.SecurityContext.RunAsUser = new(int64(1000)) },
		"securityContext", nil},
	{"no user", func(c *corev1.Container) { c.SecurityContext.RunAsUser = nil }, "securityContext", nil},
	{"another group", func(c *corev1.Container) { c.SecurityContext.RunAsGroup = new(int64(1000)) },
		"securityContext", nil},
	{"no group", func(c *corev1.Container) { c.SecurityContext.RunAsGroup = nil }, "securityContext", nil},
	{"runAsNonRoot left to the pod", func(c *corev1.Container) { c.SecurityContext.RunAsNonRoot = nil },
		"securityContext", nil},
	{"runAsNonRoot", func(c *corev1.Container) { c.SecurityContext.RunAsNonRoot = new(true) }, "securityContext", nil},
	{"a writable root file system", func(c *corev1.Container) { c.SecurityContext.ReadOnlyRootFilesystem = new(false) },
		"securityContext", nil},
	{"a root file system that is writable by default",
		func(c *corev1.Container) { c.SecurityContext.ReadOnlyRootFilesystem = nil }, "securityContext", nil},
	{"allowPrivilegeEscalation", func(c *corev1.Container) { c.SecurityContext.AllowPrivilegeEscalation = new(true) },
		"securityContext", nil},
	{"SELinux options", func(c *corev1.Container) {
		c.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t"}
	}, "securityContext", []string{oursIsPrivileged,
		`seLinuxOptions (container "sysctl-injector" set forbidden securityContext.seLinuxOptions: type "spc_t")`}},
	{"SELinux options that the standard allows", func(c *corev1.Container) {
		c.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Level: "s0:c1,c2"}
	}, "securityContext", nil},
	{"seccomp", func(c *corev1.Container) {
		c.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
	}, "securityContext", []string{oursIsPrivileged,
		`seccompProfile (container "sysctl-injector" must not set securityContext.seccompProfile.type to ` +
			`"Unconfined")`}},
	{"no AppArmor profile", func(c *corev1.Container) { c.SecurityContext.AppArmorProfile = nil },
		"securityContext", nil},
	{"AppArmor", func(c *corev1.Container) {
		c.SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeRuntimeDefault}
	}, "securityContext", nil},
	{"Windows options", func(c *corev1.Container) {
		c.SecurityContext.WindowsOptions = &corev1.WindowsSecurityContextOptions{RunAsUserName: new("root")}
	}, "securityContext", nil},

	// Other mounts.
	{"a volume of the pod's", mount("scratch", "/scratch"), "volumeMounts", nil},
	{"a volume over the program", mount("scratch", "/bin"), "volumeMounts", nil},
	{"a volume at the token's place that is no token's", mount("scratch", tokenPath), "volumeMounts", nil},
	{"the token elsewhere", mount("projected", "/bin"), "volumeMounts", nil},
	{"the token writable", mount("projected", tokenPath, func(m *corev1.VolumeMount) { m.ReadOnly = false }),
		"volumeMounts", nil},
	{"a subPath of the token", mount("projected", tokenPath, func(m *corev1.VolumeMount) { m.SubPath = "token" }),
		"volumeMounts", nil},
	{"a subPathExpr of the token", mount("projected", tokenPath,
		func(m *corev1.VolumeMount) { m.SubPathExpr = "$(X)" }), "volumeMounts", nil},
	{"the token with mounts passed on to the node", mount("projected", tokenPath, func(m *corev1.VolumeMount) {
		m.MountPropagation = new(corev1.MountPropagationHostToContainer)
	}), "volumeMounts", nil},
	{"the token read-only all through", mount("projected", tokenPath, func(m *corev1.VolumeMount) {
		m.RecursiveReadOnly = new(corev1.RecursiveReadOnlyDisabled)
	}), "volumeMounts", nil},
	{"the token and another volume", func(c *corev1.Container) {
		mount("projected", tokenPath)(c)
		c.VolumeMounts = append(c.VolumeMounts,
			corev1.VolumeMount{Name: "scratch", MountPath: "/scratch", ReadOnly: true})
	}, "volumeMounts", nil},
	{"a path below the token's", mount("projected", tokenPath+"/x"), "volumeMounts", nil},
	{"the token's path with a dot", mount("projected", tokenPath+"/."), "volumeMounts", nil},

	{"a claimed device", func(c *corev1.Container) {
		c.Resources.Claims = []corev1.ResourceClaim{{Name: "device"}}
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	}, "resources", nil},
}

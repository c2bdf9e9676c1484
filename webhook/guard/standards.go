package guard

// Every check is a file of templates/guard/checks, whose last variable bears its name and lists what it objects to.
var (
	// ours are the checks that Pod Security admission has no need of. They come first, since they tell why a container that
	// looks like the injected one is not taken for it.
	ours = []string{"reserved_name", "node_level"}

	// baseline and restricted are the checks of Pod Security admission, by its names and in its order
	// (k8s.io/pod-security-admission/policy; a test compares them).
	baseline = []string{
		"appArmorProfile",
		"capabilities_baseline",
		"hostNamespaces",
		"hostPathVolumes",
		"hostPorts",
		"hostProbesAndHostLifecycle",
		"privileged",
		"procMount",
		"seLinuxOptions",
		"seccompProfile_baseline",
		"sysctls",
		"windowsHostProcess",
	}
	// Some checks of baseline have a stricter one in their place: capabilities, volumes, procMount and seccomp.
	restricted = []string{
		"appArmorProfile",
		"hostNamespaces",
		"hostPorts",
		"hostProbesAndHostLifecycle",
		"privileged",
		"seLinuxOptions",
		"sysctls",
		"windowsHostProcess",
		"allowPrivilegeEscalation",
		"capabilities_restricted",
		"procMount_restricted",
		"restrictedVolumes",
		"runAsNonRoot",
		"runAsUser",
		"seccompProfile_restricted",
	}
)

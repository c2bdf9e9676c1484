package v1alpha1

// GroupName is the API group, and the prefix of every annotation and label of the project.
const GroupName = "sysctl-injector.dev"

// Annotations on a pod.
const (
	// SysctlsAnnotation has the sysctls to set, as sysctl.conf(5) lines. The user writes it.
	SysctlsAnnotation = GroupName + "/sysctls"
	// ProfilesAnnotation has names of SysctlProfiles, separated by commas. Lines of SysctlsAnnotation override them. If
	// it is empty, the pod does not get the profiles that select it by spec.appliesTo either. The user writes it.
	ProfilesAnnotation = GroupName + "/profiles"
	// InjectAnnotation turns injection off for the pod if it is "false". The default is "true". The user writes it.
	InjectAnnotation = GroupName + "/inject"
	// ModeAnnotation is "set" (the default) to set the sysctls, or "verify" to only check them. The user writes it.
	ModeAnnotation = GroupName + "/mode"
	// StrategyAnnotation is the way to set the sysctls: init-container or native-first. The default is the server's
	// --strategy. The user writes it.
	StrategyAnnotation = GroupName + "/strategy"
	// StatusAnnotation records the applied sysctls in compact JSON. The webhook writes it, and no decision depends on
	// it.
	StatusAnnotation = GroupName + "/status"
)

// Labels and annotations on other objects.
const (
	// InjectedLabel is "true" on an injected pod, for selectors. The webhook writes it.
	InjectedLabel = GroupName + "/injected"
	// InjectLabel with the value InjectEnabled on a namespace enrolls it. An administrator writes it.
	InjectLabel = GroupName + "/inject"
	// DefaultsLabel with the value DefaultsEnabled on an enrolled namespace makes profiles apply there by
	// spec.appliesTo. An administrator writes it.
	DefaultsLabel = GroupName + "/defaults"
	// EnforceLabel on a namespace names the Pod Security Standard that the guard enforces for all other containers of a
	// pod. An administrator writes it.
	EnforceLabel = GroupName + "/enforce"
	// FormerEnforceAnnotation on a namespace has the value that its label pod-security.kubernetes.io/enforce had before
	// the namespace was enrolled, or "".
	FormerEnforceAnnotation = GroupName + "/former-enforce"
	// KernelLabel with the value KernelLabelGuest on a RuntimeClass means that each of its pods has its own kernel. An
	// administrator writes it.
	KernelLabel = GroupName + "/kernel"
	// UnusedSinceAnnotation on a grant is the time since which no pod uses it (RFC 3339). The controller of grants
	// writes it.
	UnusedSinceAnnotation = GroupName + "/unused-since"
)

// Values of the labels above.
const (
	InjectEnabled    = "enabled"
	DefaultsEnabled  = "enabled"
	KernelLabelGuest = "guest"
)

// ContainerName is the injected container's name. No other container of a pod may have it.
const ContainerName = "sysctl-injector"

// The label of every object that the project writes. The project never changes an object without it.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "sysctl-injector"
)

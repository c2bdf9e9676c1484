package v1alpha1

// GroupName is the API group, and the prefix of every annotation and label of the project.
const GroupName = "sysctl-injector.dev"

// Annotations on a pod.
const (
	// SysctlsAnnotation holds what to set, in sysctl.conf(5) lines. Written by the user.
	SysctlsAnnotation = GroupName + "/sysctls"
	// ProfilesAnnotation holds comma-separated SysctlProfile names, merged under SysctlsAnnotation. Written by the
	// user. Empty, it also opts the pod out of the profiles that apply by spec.appliesTo.
	ProfilesAnnotation = GroupName + "/profiles"
	// InjectAnnotation set to "false" leaves the pod alone. Written by the user; "true" is the default.
	InjectAnnotation = GroupName + "/inject"
	// ModeAnnotation is set, the default, or verify: whether to set the sysctls or only check them. Written by the
	// user.
	ModeAnnotation = GroupName + "/mode"
	// StrategyAnnotation says how the sysctls are set: init-container, or native-first. Written by the user; the
	// server's --strategy is the default.
	StrategyAnnotation = GroupName + "/strategy"
	// StatusAnnotation records in compact JSON what was applied. Written by the webhook; no decision reads it.
	StatusAnnotation = GroupName + "/status"
)

// Labels and annotations on other objects.
const (
	// InjectedLabel is "true" on an injected pod. Written by the webhook, for selectors.
	InjectedLabel = GroupName + "/injected"
	// InjectLabel set to InjectEnabled on a namespace enrolls it. Written by an administrator.
	InjectLabel = GroupName + "/inject"
	// DefaultsLabel set to DefaultsEnabled on a namespace, besides InjectLabel, makes profiles apply there by their
	// spec.appliesTo. Written by an administrator.
	DefaultsLabel = GroupName + "/defaults"
	// EnforceLabel on a namespace names the Pod Security Standard that the guard holds the pod's other containers to.
	// Written by an administrator.
	EnforceLabel = GroupName + "/enforce"
	// FormerEnforceAnnotation on a namespace keeps the value of its label pod-security.kubernetes.io/enforce from
	// before it was enrolled; empty where it had none.
	FormerEnforceAnnotation = GroupName + "/former-enforce"
	// KernelLabel set to KernelLabelGuest on a RuntimeClass says that its pods have their own kernel.
	// Written by an administrator.
	KernelLabel = GroupName + "/kernel"
	// UnusedSinceAnnotation marks a grant that no pod uses, with the start time (RFC 3339). Written by the controller
	// of grants.
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

// ManagedBy is the value of app.kubernetes.io/managed-by on every object that the project writes.
// The project never changes an object without it.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "sysctl-injector"
)

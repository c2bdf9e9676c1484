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
	// ModeAnnotation says what is done with the sysctls: set, the default, or verify. Written by the user.
	ModeAnnotation = GroupName + "/mode"
	// StrategyAnnotation says how the sysctls are set: init-container, or native-first. Written by the user; the
	// server's --strategy is the default.
	StrategyAnnotation = GroupName + "/strategy"
	// StatusAnnotation tells, in compact JSON, what was applied. Written by the webhook, and never an input to a
	// decision.
	StatusAnnotation = GroupName + "/status"
)

// Labels and annotations on other objects.
const (
	// InjectedLabel is "true" on an injected pod. Written by the webhook, for selectors.
	InjectedLabel = GroupName + "/injected"
	// InjectLabel set to InjectEnabled on a namespace enrolls it. Written by an administrator.
	InjectLabel = GroupName + "/inject"
	// DefaultsLabel set to DefaultsEnabled on a namespace, besides InjectLabel, has profiles apply there by their
	// spec.appliesTo. Written by an administrator.
	DefaultsLabel = GroupName + "/defaults"
	// EnforceLabel on a namespace names the Pod Security Standard that the guard holds the pod's other containers to.
	// Written by an administrator.
	EnforceLabel = GroupName + "/enforce"
	// FormerEnforceAnnotation on a namespace keeps the value of its label pod-security.kubernetes.io/enforce from
	// before it was enrolled; empty where it had none.
	FormerEnforceAnnotation = GroupName + "/former-enforce"
	// KernelLabel set to KernelLabelGuest on a RuntimeClass says that its pods have a kernel of their own.
	// Written by an administrator.
	KernelLabel = GroupName + "/kernel"
	// UnusedSinceAnnotation marks a grant that no pod uses, with the time since when (RFC 3339). Written by the
	// controller of grants.
	UnusedSinceAnnotation = GroupName + "/unused-since"
)

// Values of the labels above.
const (
	InjectEnabled    = "enabled"
	DefaultsEnabled  = "enabled"
	KernelLabelGuest = "guest"
)

// ContainerName is the injected container's name. No other container of a pod may bear it.
const ContainerName = "sysctl-injector"

// ManagedBy is the value of app.kubernetes.io/managed-by on every object that the project writes.
// An object without it is never touched.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "sysctl-injector"
)

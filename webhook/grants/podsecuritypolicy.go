package grants

import "regexp"

// inPodSecurityPolicy matches what a PodSecurityPolicy may list in allowedUnsafeSysctls
// (k8s.io/kubernetes v1.24 pkg/apis/policy/validation, IsValidSysctlPattern).
var inPodSecurityPolicy = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// CanBeInPodSecurityPolicy reports whether a PodSecurityPolicy can allow a sysctl of a pod's securityContext.sysctls,
// by its name as it is written there. It is compared without any change, and a PodSecurityPolicy holds neither
// slashes nor capitals.
func CanBeInPodSecurityPolicy(name string) bool { return inPodSecurityPolicy.MatchString(name) }

package grants

import "regexp"

// inPodSecurityPolicy matches the names that a PodSecurityPolicy may list in allowedUnsafeSysctls
// (k8s.io/kubernetes v1.24 pkg/apis/policy/validation, IsValidSysctlPattern).
var inPodSecurityPolicy = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// CanBeInPodSecurityPolicy reports whether a PodSecurityPolicy can allow a sysctl of a pod's securityContext.sysctls.
// Kubernetes compares the names literally, and a PodSecurityPolicy's names have no slashes and no capitals.
func CanBeInPodSecurityPolicy(name string) bool { return inPodSecurityPolicy.MatchString(name) }

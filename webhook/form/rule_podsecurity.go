package form

import (
	"fmt"

	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// IsRejected reports whether Pod Security admission rejects a container of a level in a namespace with this label.
// It runs after the webhook, knows no exception for one container, and would reject the pod. A label that is no level
// counts as restricted, as Pod Security admission takes it.
func IsRejected(level psaapi.Level, label string) bool {
	if label == "" {
		return false
	}
	standard, _ := psaapi.ParseLevel(label) // with an error, it is restricted
	return psaapi.CompareLevels(level, standard) < 0
}

// isRejected reports whether Pod Security admission rejects a container of a level in the pod's namespace.
func (p Pod) isRejected(level psaapi.Level) bool {
	return IsRejected(level, p.NamespaceLabels[psaapi.EnforceLevelLabel])
}

// podSecurityMinor returns the minor version of Kubernetes whose Pod Security Standard holds in the pod's namespace
// (k8s.io/pod-security-admission/policy, NewEvaluator).
//
//	enforce-version                        version
//	absent, latest, invalid                the cluster's
//	older than the cluster                 the label's
//	newer than the cluster                 the cluster's
func (p Pod) podSecurityMinor() uint {
	label, labelled := p.NamespaceLabels[psaapi.EnforceVersionLabel]
	if !labelled {
		return p.Kubernetes
	}
	pinned, err := psaapi.ParseVersion(label)
	if err != nil || pinned.Latest() {
		return p.Kubernetes
	}
	return min(p.Kubernetes, uint(pinned.Minor()))
}

// podSecurityMessage says what of the init container the namespace's standard rejects.
func podSecurityMessage(pod policy.Facts, rejected string) string {
	label := pod.NamespaceLabels[psaapi.EnforceLevelLabel]
	enforce, _ := psaapi.ParseLevel(label)
	return fmt.Sprintf("namespace %q is held to Pod Security %q, which rejects %s; "+
		"an administrator can enroll it for that container alone: sysctl-injector enroll %[1]s --enforce %[4]s",
		pod.Namespace, label, rejected, enforce)
}

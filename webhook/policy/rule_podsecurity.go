package policy

import (
	"cmp"
	"fmt"
)

// podSecurityLabel is Pod Security admission's (k8s.io/pod-security-admission/api, EnforceLevelLabel).
const podSecurityLabel = "pod-security.kubernetes.io/enforce"

// podSecurity refuses every sysctl of a pod whose namespace Pod Security admission holds to a standard: that admission comes
// after the webhook, knows no exception for one container, and would refuse the pod for the injected one.
//
//	label                      the injected container
//	absent, or privileged      passes
//	baseline, restricted       is refused
//	anything else              is refused: Pod Security admission takes it for restricted
var podSecurity = podRule{
	reason: "PodSecurity",
	applies: func(pod Facts) bool {
		return cmp.Or(pod.NamespaceLabels[podSecurityLabel], "privileged") != "privileged"
	},
	message: func(pod Facts) string {
		level := pod.NamespaceLabels[podSecurityLabel]
		return fmt.Sprintf("namespace %q is held to Pod Security %q, which refuses the privileged init container that would set them; "+
			"an administrator can open it for that container alone: sysctl-injector enroll %[1]s --enforce %[3]s", pod.Namespace, level, standard(level))
	},
}

// standard is the level that Pod Security admission takes a label's value for.
func standard(label string) string {
	if label == "baseline" {
		return label
	}
	return "restricted"
}

package form

import "github.com/sysctl-injector/sysctl-injector/webhook/policy"

// windows rejects pods that say they are for Windows nodes: there are no sysctls there, and no busybox.
var windows = podRule{
	reason:  "Windows",
	applies: func(pod policy.Facts) bool { return pod.Windows },
	message: func(policy.Facts) string {
		return "the pod is for Windows nodes (spec.os.name: windows), which have no sysctls; remove the annotation"
	},
}

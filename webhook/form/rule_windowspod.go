package form

import "github.com/sysctl-injector/sysctl-injector/webhook/policy"

// windows rejects pods that can run only on Windows nodes: there are no sysctls there, and no busybox.
var windows = podRule{
	reason:  "Windows",
	applies: func(pod policy.Facts) bool { return pod.Windows != "" },
	message: func(pod policy.Facts) string {
		return "the pod is for Windows nodes (" + pod.Windows + "), which have no sysctls; remove the annotation"
	},
}

package policy

// windows refuses pods that say they are for Windows nodes: there are no sysctls there, and no busybox.
var windows = podRule{
	reason:  "Windows",
	applies: func(pod Facts) bool { return pod.Windows },
	message: func(Facts) string {
		return "the pod is for Windows nodes (spec.os.name: windows), which have no sysctls; remove the annotation"
	},
}

package form

import "github.com/sysctl-injector/sysctl-injector/webhook/policy"

// mirrorPod rejects the mirror of a static pod: the kubelet runs the pod from its own file, whatever the API server
// admits, so an init container added here would never run.
var mirrorPod = podRule{
	reason:  "MirrorPod",
	applies: func(pod policy.Facts) bool { return pod.Mirror },
	message: func(policy.Facts) string {
		return "this is the mirror of a static pod (annotation kubernetes.io/config.mirror), which its node runs as " +
			"its own " +
			"file says; put the init container into that file, for instance with `sysctl-injector inject -f`"
	},
}

package policy

import (
	"fmt"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// nodeLevel rejects names that belong to no namespace on a kernel that other pods share.
//
//	kernel   allowed
//	Shared   net.* and the IPC names (kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*)
//	Guest    every name
var nodeLevel = Rule{
	Reason:  "NodeLevel",
	Applies: func(pod Facts, s sysctl.Entry) bool { return shared(pod) && s.Scope == sysctl.Node },
	Message: func(pod Facts, _ sysctl.Entry) string {
		return "is node-level: it would change the node and every pod on it. " + guestAdvice(pod)
	},
}

// guestAdvice says what the pod lacks to be recognised as one with a kernel of its own.
func guestAdvice(pod Facts) string {
	const remedy = "n administrator can set it on the node, or the pod can run under a RuntimeClass that gives it a " +
		"kernel of its own (Kata Containers, for one)"
	switch {
	case pod.RuntimeClass == "":
		return "A" + remedy
	case pod.Handler == "":
		return fmt.Sprintf("The pod's RuntimeClass %q does not exist; a%s", pod.RuntimeClass, remedy)
	default:
		return fmt.Sprintf("The pod's RuntimeClass %q is not known to give its pods a kernel of their own: its "+
			"handler %q is not among "+
			"--guest-handlers, and it has no label %s=%s; a%s", pod.RuntimeClass, pod.Handler, v1alpha1.KernelLabel,
			v1alpha1.KernelLabelGuest, remedy)
	}
}

package form

import (
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// userNamespace rejects node-level names for a pod in a user namespace, where root is not root on the kernel and may not
// write them (user_namespaces(7)). Names that are never set on a shared kernel are left to policy's rule, whose message fits them.
var userNamespace = policy.Rule{
	Reason: "UserNamespace",
	Applies: func(pod policy.Facts, s sysctl.Entry) bool {
		return pod.UserNamespace && s.Scope == sysctl.Node && (s.Forbidden == nil || pod.Kernel == v1alpha1.GuestKernel)
	},
	Message: policy.Text("is node-level, and the pod runs in a user namespace (hostUsers: false), whose root may not write it; " +
		"remove hostUsers: false, or the sysctl"),
}

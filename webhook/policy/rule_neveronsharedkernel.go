package policy

import "github.com/sysctl-injector/sysctl-injector/webhook/sysctl"

// neverOnSharedKernel rejects names that run code on the node or stop it, on a kernel that other pods share. It comes
// before nodeLevel, whose advice would not fit them.
var neverOnSharedKernel = Rule{
	Reason:  "NeverOnSharedKernel",
	Applies: func(pod Facts, s sysctl.Entry) bool { return s.Forbidden != nil && shared(pod) },
	Message: func(_ Facts, s sysctl.Entry) string {
		return "is never set on a kernel that other pods share, whatever a policy says: it " + s.Forbidden.Reason
	},
}

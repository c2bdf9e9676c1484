package form

import (
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// inUserNamespace are the rules for pods with hostUsers: false.
var inUserNamespace = []policy.Rule{nodeLevelInUserNamespace, absentInUserNamespace}

// nodeLevelInUserNamespace rejects node-level names for a pod in a user namespace, where root is not root on the
// kernel and may not write them (user_namespaces(7)). Names that are never set on a shared kernel are left to
// policy's rule, whose message fits them.
var nodeLevelInUserNamespace = policy.Rule{
	Reason: "UserNamespace",
	Applies: func(pod policy.Facts, s sysctl.Entry) bool {
		return pod.UserNamespace && s.Scope == sysctl.Node && (s.Forbidden == nil || pod.Kernel == v1alpha1.GuestKernel)
	},
	Message: policy.Text("is node-level, and the pod runs in a user namespace (hostUsers: false), whose root may not " +
		"write it; remove hostUsers: false, or the sysctl"),
}

// absentInUserNamespace rejects the names that the kernel does not give a network namespace that a user namespace
// owns: 4 and 10 on Linux 6.18. Of net.ipv6.route there, net.ipv6.route.max_size alone is left.
//
// Source: Linux net/xfrm/xfrm_sysctl.c (xfrm_sysctl_init) and net/ipv6/route.c (ipv6_route_sysctl_init).
var absentInUserNamespace = policy.Rule{
	Reason: "AbsentInUserNamespace",
	Applies: func(pod policy.Facts, s sysctl.Entry) bool {
		return pod.UserNamespace && pod.Kernel != v1alpha1.GuestKernel && isAbsentInUserNamespace(s.Name)
	},
	Message: policy.Text("does not exist in the network namespace of a pod with hostUsers: false: the kernel " +
		"keeps it from user namespaces; remove hostUsers: false, or the sysctl"),
}

func isAbsentInUserNamespace(name string) bool {
	return strings.HasPrefix(name, "net.core.xfrm_") ||
		strings.HasPrefix(name, "net.ipv6.route.") && name != "net.ipv6.route.max_size"
}

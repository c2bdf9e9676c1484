package policy

import "github.com/sysctl-injector/sysctl-injector/webhook/sysctl"

// userNamespace refuses node-level names for a pod in a user namespace, where root is not root on the kernel and may not
// write them (user_namespaces(7)).
var userNamespace = rule{
	reason:  "UserNamespace",
	applies: func(pod Facts, s sysctl.Entry) bool { return pod.UserNamespace && s.Scope == sysctl.Node },
	message: says("is node-level, and the pod runs in a user namespace (hostUsers: false), whose root may not write it; " +
		"remove hostUsers: false, or the sysctl"),
}

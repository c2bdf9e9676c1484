package policy

import "github.com/sysctl-injector/sysctl-injector/webhook/sysctl"

// hostNetwork rejects net.* for a pod in the node's network namespace, where it would change the node. The API server
// rejects the same in securityContext.sysctls (k8s.io/kubernetes pkg/apis/core/validation, validateSysctls). In a
// guest kernel there is no node to change.
var hostNetwork = Rule{
	Reason: "HostNetwork",
	Applies: func(pod Facts, s sysctl.Entry) bool {
		return pod.HostNetwork && shared(pod) && s.Scope == sysctl.Network
	},
	Message: Text("would change the node: the pod shares the node's network namespace (hostNetwork: true); remove " +
		"hostNetwork, or the sysctl"),
}

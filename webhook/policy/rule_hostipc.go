package policy

import "github.com/sysctl-injector/sysctl-injector/webhook/sysctl"

// hostIPC rejects the IPC names for a pod in the node's IPC namespace, where they would change the node. The API
// server rejects the same in securityContext.sysctls (k8s.io/kubernetes pkg/apis/core/validation, validateSysctls).
var hostIPC = Rule{
	Reason: "HostIPC",
	Applies: func(pod Facts, s sysctl.Entry) bool {
		return pod.HostIPC && shared(pod) && s.Scope == sysctl.IPC
	},
	Message: Text("would change the node: the pod shares the node's IPC namespace (hostIPC: true); remove hostIPC, " +
		"or the sysctl"),
}

package form

import (
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// The minor versions of Kubernetes in which a pod can have an unmasked /proc in a user namespace (KEP-4265, on by
// default), and in which Pod Security's baseline admits that (k8s.io/pod-security-admission/policy,
// check_procMount.go).
const (
	unmaskedProcSince   = 33
	unmaskedProcTrusted = 35
)

// userNamespace is for pods in a user namespace (hostUsers: false): an init container without privilege. Its root is
// that of the pod's user namespace, which owns the pod's network and IPC namespaces, and an unmasked /proc lets it
// write there.
var userNamespace = &Form{
	Name: "user-namespace",
	takes: func(pod Pod, _ sysctl.Assignment) bool {
		return pod.UserNamespace && pod.Kubernetes >= unmaskedProcSince
	},
	takesCEL:  "variables.userNamespace",
	mark:      "variables.first.?securityContext.?procMount.orValue('Default') != 'Default'",
	Rules:     inUserNamespace,
	podRules:  []podRule{windows, mirrorPod, seLinux},
	templates: []*template{ipcContainer, networkContainer}, UserNamespace: true,
	Warn: func(s sysctl.Entry) string {
		if s.Scope != sysctl.IPC {
			return ""
		}
		return "root of a user namespace (hostUsers: false) can set it from Linux 6.9 on; on a node with an older " +
			"kernel the pod will not start"
	},
}

// ipcContainer has no capability: the kernel lets root of the user namespace write the names of its IPC namespace
// (ipc/ipc_sysctl.c, ipc_permissions; ipc/mq_sysctl.c, mq_permissions; both since Linux 6.9, commit 50ec499b9a43).
var ipcContainer = &template{
	file: "user-namespace.yaml",
	fits: func(wanted sysctl.Assignment) bool { return wanted.Scope() == sysctl.IPC },
	podSecurity: func(minor uint) psaapi.Level {
		if minor >= unmaskedProcTrusted {
			return psaapi.LevelBaseline
		}
		return psaapi.LevelPrivileged
	},
	rejected: "the init container that would set them: it is root of the pod's user namespace, with an unmasked /proc",
	commands: []*Command{plain, scripted},
}

// networkContainer has CAP_NET_ADMIN, which the kernel asks for in the user namespace (net/sysctl_net.c,
// net_ctl_permissions).
var networkContainer = &template{
	file:        "user-namespace-net.yaml",
	mark:        "variables.first.?securityContext.?capabilities.?add.hasValue()",
	podSecurity: in(psaapi.LevelPrivileged),
	rejected: "the init container that would set them: it adds the capability NET_ADMIN, " +
		"in the pod's user namespace",
	commands: []*Command{plain, scripted},
}

package form

import (
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// privileged is for every pod that no other form is for: a privileged init container, on the node's kernel.
var privileged = &Form{
	Name:      "privileged",
	takes:     func(Pod, sysctl.Assignment) bool { return true },
	Rules:     inUserNamespace,
	podRules:  []podRule{windows, mirrorPod, seLinux},
	templates: []*template{privilegedContainer}, Privileged: true,
}

// privilegedContainer can write all of /proc/sys.
var privilegedContainer = &template{
	file:        "privileged.yaml",
	podSecurity: in(psaapi.LevelPrivileged),
	rejected:    "the privileged init container that would set them",
	commands:    []*Command{plain, scripted},
}

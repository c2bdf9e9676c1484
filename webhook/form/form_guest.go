package form

import (
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// guest is for pods with a kernel of their own: the privileged container, in the guest, where it can set every name.
var guest = &Form{
	Name:      "guest",
	takes:     func(pod Pod, _ sysctl.Assignment) bool { return pod.Kernel == v1alpha1.GuestKernel },
	takesCEL:  "variables.kernel == 'Guest'",
	Rules:     inUserNamespace,
	podRules:  []podRule{windows, mirrorPod},
	templates: []*template{privilegedContainer}, Privileged: true,
}

package form

import (
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// guest is for pods with a kernel of their own: the privileged container, in the guest, where it can set every name.
var guest = Form{
	Name:        "guest",
	Applies:     func(pod policy.Facts) bool { return pod.Kernel == v1alpha1.GuestKernel },
	Template:    "privileged.yaml",
	PodSecurity: Privileged,
	NeedsGrant:  true,
	Rules:       []policy.Rule{userNamespace},
	podRules:    []podRule{windows, mirrorPod},
}

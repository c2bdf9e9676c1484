package form

import "github.com/sysctl-injector/sysctl-injector/webhook/policy"

// privileged is for every pod that no other form is for: a privileged init container, on the node's kernel.
var privileged = Form{
	Name:        "privileged",
	Applies:     func(policy.Facts) bool { return true },
	Template:    "privileged.yaml",
	PodSecurity: Privileged,
	NeedsGrant:  true,
	Rules:       []policy.Rule{userNamespace},
	podRules:    []podRule{windows, mirrorPod, seLinux},
}

package form

import (
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Verify is the name of the form whose init container only reads.
const Verify = "verify"

// verify is for pods that only want to know that sysctls have their values (mode: verify): an init container that
// reads and compares. It may read what every process of the pod may, so policies are not asked and nothing is
// granted. Names that belong to the node are among them. The kubelet runs it again until all values hold.
var verify = &Form{
	Name:      Verify,
	takes:     func(pod Pod, _ sysctl.Assignment) bool { return pod.Verify },
	takesCEL:  "variables.verifies",
	mark:      "variables.first.?securityContext.?runAsUser.orValue(0) == 65534",
	podRules:  []podRule{windows, mirrorPod},
	templates: []*template{readingContainer},
	OnlyReads: true,
	noGrant:   "the init container only reads",
}

// readingContainer has no more rights than "restricted" gives to every container.
var readingContainer = &template{
	file:        "verify.yaml",
	podSecurity: in(psaapi.LevelRestricted),
	commands:    []*Command{verifying},
}

package form

import (
	"fmt"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// privilegedType is the SELinux type that container runtimes give privileged containers.
const privilegedType = "spc_t"

// seLinux rejects pods whose SELinux type would confine the injected container too: a runtime gives a privileged
// container the pod's type, and other types may not write to /proc/sys (containerd
// internal/cri/server/container_create.go, buildLinuxSpec). A guest has its own kernel, where the node's SELinux does
// not reach.
var seLinux = podRule{
	reason:  "SELinux",
	applies: func(pod policy.Facts) bool { return pod.SELinuxType != "" && pod.SELinuxType != privilegedType },
	message: func(pod policy.Facts) string {
		return fmt.Sprintf("the pod's SELinux type %q (spec.securityContext.seLinuxOptions.type) would confine the "+
			"init container too, "+
			"which could not set them; state the type in the containers' securityContext instead", pod.SELinuxType)
	},
}

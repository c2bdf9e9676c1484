package policy

import "github.com/sysctl-injector/sysctl-injector/webhook/sysctl"

// removedName rejects names that no supported kernel has: `sysctl -w` could only fail, and the pod would never start.
// Names that only newer kernels lack lead to a warning. A guest may be something else than Linux, so this is for
// shared kernels.
var removedName = Rule{
	Reason:  "RemovedSysctl",
	Applies: func(pod Facts, s sysctl.Entry) bool { return shared(pod) && sysctl.FindRemoval(s.Name) != nil },
	Message: func(_ Facts, s sysctl.Entry) string { return sysctl.FindRemoval(s.Name).String() },
}

package policy

import "github.com/sysctl-injector/sysctl-injector/webhook/sysctl"

// hostOnly rejects the net.* names that a pod's own network namespace does not have, has read-only, or never takes a
// value for: `sysctl -w` could only fail there, and the pod would never start. Which they are, and how that was
// found, is in the catalogue.
var hostOnly = Rule{
	Reason:  "HostOnly",
	Applies: func(pod Facts, s sysctl.Entry) bool { return s.HostOnly != nil && shared(pod) },
	Message: func(_ Facts, s sysctl.Entry) string {
		return s.HostOnly.Reason + "; remove it from the pod, and leave it to the node's administrator"
	},
}

package convert

import "github.com/sysctl-injector/sysctl-injector/webhook/sysctl"

// IsCertain reports whether every kernel has a name with a single number.
func IsCertain(name string) bool { return (&setting{}).isNumber(name) }

// IsOfPod reports whether a namespace of the pod isolates a name.
func IsOfPod(name string) bool { return sysctl.ScopeOf(name) != sysctl.Node }

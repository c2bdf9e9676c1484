package convert

import "github.com/sysctl-injector/sysctl-injector/webhook/sysctl"

// IsCertain reports whether every kernel has a name, with one number.
func IsCertain(name string) bool { return (&setting{}).isNumber(name) }

// IsOfPod reports whether a name is of a pod's own namespaces.
func IsOfPod(name string) bool { return sysctl.ScopeOf(name) != sysctl.Node }

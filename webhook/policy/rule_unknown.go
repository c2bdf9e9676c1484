package policy

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// ReasonUnknownSysctl is the reason of a violation found by UnknownName.
const ReasonUnknownSysctl = "UnknownSysctl"

// UnknownName rejects a name that a policy allows by a pattern only, and that the catalogue does not know. Every
// granted name has a ClusterRole, so without this rule any pod author could have endlessly many made by way of
// "net.*".
func (s *Set) UnknownName(name string) (reason, message string) {
	if s.isGrantable(name) {
		return "", ""
	}
	advice := "check the spelling."
	if known := sysctl.Suggest(name); known != "" {
		advice = "did you mean " + known + "?"
	}
	return ReasonUnknownSysctl, "is not a sysctl that sysctl-injector knows; " + advice +
		" If the node's kernel has it, an administrator can allow it by its full name in a SysctlPolicy, or with a " +
		"\"*\" for the interface alone: a pattern such as net.* covers known names only"
}

// isGrantable reports whether grants for a name may be made at all. A policy that allows a parameter for any
// interface stands for the interfaces of pods, whose names are endless too: there, the limits on grants in a
// namespace are the bound.
func (s *Set) isGrantable(name string) bool {
	if s.exactNames.Has(name) || sysctl.IsKnown(name) {
		return true
	}
	return slices.ContainsFunc(s.anyInterface, func(p sysctl.Pattern) bool {
		_, isPrefix := p.Prefix()
		return p.Matches(name) && (!isPrefix || sysctl.IsKnownForInterface(name))
	})
}

// wellNamed returns the names that policies spell out, and the patterns that name a parameter of any interface.
func wellNamed(policies []*Policy) (exact sets.Set[string], anyInterface []sysctl.Pattern) {
	exact = sets.New[string]()
	for _, p := range policies {
		for _, rule := range p.rules {
			for _, pattern := range rule.patterns {
				switch {
				case pattern.IsExact():
					exact.Insert(pattern.String())
				case pattern.IsForAnyInterface() && !slices.Contains(anyInterface, pattern):
					anyInterface = append(anyInterface, pattern)
				}
			}
		}
	}
	return exact, anyInterface
}

package policy

import (
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// ReasonUnknownSysctl is the reason of a violation found by unknownName.
const ReasonUnknownSysctl = "UnknownSysctl"

// unknownName rejects a name that a policy allows by a pattern only, and that the catalogue does not know. Every granted name has
// a ClusterRole, so without this rule any pod author could have endlessly many made by way of "net.*".
func (s *Set) unknownName(name string) (reason, message string) {
	if s.isGrantable(name) {
		return "", ""
	}
	return ReasonUnknownSysctl, "is not a sysctl that sysctl-injector knows; check the spelling. If the node's kernel has it, an " +
		"administrator can allow it by its full name in a SysctlPolicy: a pattern such as net.* covers known names only"
}

// isGrantable reports whether grants for a name may be made at all.
func (s *Set) isGrantable(name string) bool { return s.exactNames.Has(name) || sysctl.IsKnown(name) }

// namedExactly returns the names that policies spell out.
func namedExactly(policies []*Policy) sets.Set[string] {
	names := sets.New[string]()
	for _, p := range policies {
		for _, rule := range p.rules {
			for _, pattern := range rule.patterns {
				if _, isPrefix := pattern.Prefix(); !isPrefix {
					names.Insert(pattern.String())
				}
			}
		}
	}
	return names
}

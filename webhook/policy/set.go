package policy

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Set is the SysctlPolicies and SysctlProfiles of a cluster at one moment, compiled. It never changes, so that any number
// of requests may read it at once.
type Set struct {
	index        *index
	profiles     map[string]*Profile
	profileNames []string // in order, for messages
}

// NewSet returns the set of the given policies and profiles. Of two with one name, the later one counts.
func NewSet(policies []*Policy, profiles []*Profile) *Set {
	policyOf := make(map[string]*Policy, len(policies))
	for _, p := range policies {
		policyOf[p.name] = p
	}
	ordered := make([]*Policy, 0, len(policyOf))
	for _, name := range slices.Sorted(maps.Keys(policyOf)) {
		ordered = append(ordered, policyOf[name])
	}
	s := &Set{index: newIndex(ordered), profiles: make(map[string]*Profile, len(profiles))}
	for _, p := range profiles {
		s.profiles[p.name] = p
	}
	s.profileNames = slices.Sorted(maps.Keys(s.profiles))
	return s
}

// allow asks the policies, and says of the one that came nearest what it lacks: of two that are as near, the first.
func (s *Set) allow(facts Facts, setting Setting, drawers []*drawer) *Refusal {
	rules := s.index.rules
	if len(rules) == 0 {
		return &Refusal{ReasonNoPolicy, setting.forbidden("is not allowed: there is no SysctlPolicy, so nothing is; " +
			"an administrator can create one")}
	}
	nearest, at := elsewhere, 0
	consider := func(place int) bool {
		if n := rules[place].judge(facts, setting.Assignment); n > nearest || n == nearest && place < at {
			nearest, at = n, place
		}
		return nearest < allowed
	}
	for _, d := range drawers {
		if !d.each(setting.Name, consider) {
			return nil
		}
	}
	message := fmt.Sprintf("is not allowed by any SysctlPolicy for service account %q in namespace %q", facts.ServiceAccount, facts.Namespace)
	if nearest > elsewhere {
		message += fmt.Sprintf(": the nearest one, SysctlPolicy %q, allows %s", rules[at].policy.name, rules[at].lacks(facts, setting.Assignment))
	}
	return &Refusal{ReasonNotAllowed, setting.forbidden("%s; an administrator can allow it in a SysctlPolicy", message)}
}

// Allowing returns the names of the policies that allow some value of a sysctl to a pod, in order.
func (s *Set) Allowing(facts Facts, name string) []string {
	var names []string
	for _, d := range s.index.open(facts, nil) {
		d.each(name, func(place int) bool {
			if r := s.index.rules[place]; r.policy.selects(facts) && r.names(name) && r.on(facts.Kernel) {
				names = append(names, r.policy.name)
			}
			return true
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func parsePatterns(names []string, path *field.Path) ([]sysctl.Pattern, field.ErrorList) {
	var errs field.ErrorList
	patterns := make([]sysctl.Pattern, 0, len(names))
	for i, name := range names {
		pattern, err := sysctl.ParsePattern(name)
		if err != nil {
			errs = append(errs, field.Invalid(path.Index(i), name, err.Error()))
			continue
		}
		patterns = append(patterns, pattern)
	}
	return patterns, errs
}

package policy

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Set is the SysctlPolicies and SysctlProfiles of a cluster at one moment, compiled. It never changes, so that any
// number of requests may read it at once.
type Set struct {
	policies     []*Policy        // in force, by name
	trials       []*Policy        // on trial, by name
	exactNames   sets.Set[string] // that policies spell out
	anyInterface []sysctl.Pattern // that policies have for parameters of any interface
	profiles     map[string]*Profile
	profileNames []string   // of those that can be read, in order, for messages
	defaults     []*Profile // that apply to pods by their selectors, by name
}

// NewSet returns the set of the given policies and profiles. Of two with one name, the later one counts.
func NewSet(policies []*Policy, profiles []*Profile) *Set {
	policyOf := make(map[string]*Policy, len(policies))
	for _, p := range policies {
		policyOf[p.name] = p
	}
	s := &Set{profiles: make(map[string]*Profile, len(profiles))}
	for _, name := range slices.Sorted(maps.Keys(policyOf)) {
		if p := policyOf[name]; p.trial == nil {
			s.policies = append(s.policies, p)
		} else {
			s.trials = append(s.trials, p)
		}
	}
	s.exactNames, s.anyInterface = wellNamed(s.policies)
	for _, p := range profiles {
		s.profiles[p.name] = p
	}
	for _, name := range slices.Sorted(maps.Keys(s.profiles)) {
		p := s.profiles[name]
		if p.unreadable == nil {
			s.profileNames = append(s.profileNames, name)
		}
		if p.appliesTo != nil {
			s.defaults = append(s.defaults, p)
		}
	}
	return s
}

// selecting returns the policies that select a pod, by name.
func (s *Set) selecting(facts Facts) []*Policy { return selecting(s.policies, facts) }

func selecting(policies []*Policy, facts Facts) []*Policy {
	var selected []*Policy
	for _, p := range policies {
		if p.selects(facts) {
			selected = append(selected, p)
		}
	}
	return selected
}

// allow asks the policies that select the pod. If none allows the sysctl, the message names the one that comes
// nearest; of two that are as near, the first.
func (s *Set) allow(selected []*Policy, facts Facts, wanted sysctl.Assignment) (reason, message string) {
	if len(s.policies) == 0 {
		if onTrial := s.onTrial(facts, wanted); onTrial != "" {
			return ReasonNoPolicy, "is not allowed: there is no SysctlPolicy in force, so nothing is" + onTrial
		}
		return ReasonNoPolicy, "is not allowed: there is no SysctlPolicy, so nothing is; an administrator can create " +
			"one"
	}
	nearest, instead := noMatch, func() string { return "" }
	for _, p := range selected {
		for i := range p.rules {
			r := &p.rules[i]
			switch m := r.match(facts, wanted); {
			case m == allowed:
				return "", ""
			case m > nearest:
				nearest = m
				instead = func() string {
					return fmt.Sprintf(": the nearest one, SysctlPolicy %q, allows %s", p.name,
						r.alternative(facts, wanted))
				}
			}
		}
	}
	return ReasonNotAllowed, fmt.Sprintf("is not allowed by any SysctlPolicy for service account %q in namespace "+
		"%q%s%s; an administrator can allow it in a SysctlPolicy", facts.ServiceAccount, facts.Namespace, instead(),
		s.onTrial(facts, wanted))
}

// Allowing returns the names of the policies that allow some value of a sysctl to a pod, in order.
func (s *Set) Allowing(facts Facts, name string) []string {
	if !s.isGrantable(name) {
		return nil
	}
	var names []string
	for _, p := range s.selecting(facts) {
		if slices.ContainsFunc(p.rules, func(r allowRule) bool { return r.names(name) && r.on(facts.Kernel) }) {
			names = append(names, p.name)
		}
	}
	return names
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

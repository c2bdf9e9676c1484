package policy

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"

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

// Allowing returns the names of the policies that allow some value of a sysctl to a pod, in order.
func (s *Set) Allowing(facts Facts, name string) []string {
	if !s.isGrantable(name) {
		return nil
	}
	var names []string
	for _, p := range selecting(s.policies, facts) {
		if slices.ContainsFunc(p.rules, func(r allowRule) bool { return r.names(name) && r.on(facts.Kernel) }) {
			names = append(names, p.name)
		}
	}
	return names
}

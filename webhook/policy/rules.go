package policy

import (
	"fmt"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Rule rejects one sysctl of a pod.
type Rule struct {
	Reason  string
	Applies func(Facts, sysctl.Entry) bool
	// Message completes a sentence that begins with the sysctl's name.
	Message func(Facts, sysctl.Entry) string
}

// The rules that hold whatever a SysctlPolicy says, and whatever form sets the sysctl. The first one that applies is
// reported.
var rules = []Rule{neverOnSharedKernel, nodeLevel, hostNetwork, hostIPC, removedName, hostOnly}

// Evaluate returns every reason why a pod may not set what it asks for, in the order in which it asks; none if it
// may. The rules of the form that would set them come before the rules above, then the SysctlPolicies, and the
// kernel's bounds last.
func (s *Set) Evaluate(facts Facts, settings []Setting, form []Rule) []Violation {
	var violations []Violation
	selected := selecting(s.policies, facts)
	for _, setting := range settings {
		reason, message := check(facts, sysctl.Lookup(setting.Name), form, rules)
		if reason == "" {
			reason, message = s.allow(selected, facts, setting.Assignment)
		}
		if reason == "" {
			reason, message = invalidValue(facts, setting.Assignment)
		}
		if reason != "" {
			violations = append(violations, Violation{reason, setting.forbidden("%s", message)})
		}
	}
	return violations
}

// selecting returns those of the policies that select a pod, in their order.
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
// nearest; of two that are as near, the first. A name that is not known has to be spelled out by some policy.
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
				return s.UnknownName(wanted.Name)
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

// Check returns the rule by which a pod may not set a sysctl, whatever a SysctlPolicy says, and why; reason is empty
// if none applies. The message completes a sentence that begins with the sysctl's name.
func Check(facts Facts, entry sysctl.Entry) (reason, message string) {
	return check(facts, entry, rules)
}

func check(facts Facts, entry sysctl.Entry, lists ...[]Rule) (reason, message string) {
	for _, rules := range lists {
		for _, r := range rules {
			if r.Applies(facts, entry) {
				return r.Reason, r.Message(facts, entry)
			}
		}
	}
	return "", ""
}

func shared(facts Facts) bool { return facts.Kernel != v1alpha1.GuestKernel }

// Text is a message that is the same for every pod and sysctl.
func Text(message string) func(Facts, sysctl.Entry) string {
	return func(Facts, sysctl.Entry) string { return message }
}

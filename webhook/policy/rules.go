package policy

import (
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
	selected := s.selecting(facts)
	for _, setting := range settings {
		entry := sysctl.Lookup(setting.Name)
		reason, message := check(form, facts, entry)
		if reason == "" {
			reason, message = Check(facts, entry)
		}
		if reason == "" {
			reason, message = s.judge(selected, facts, setting.Assignment)
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

// judge asks the policies that select the pod.
func (s *Set) judge(selected []*Policy, facts Facts, wanted sysctl.Assignment) (reason, message string) {
	if reason, message = s.allow(selected, facts, wanted); reason != "" {
		return reason, message
	}
	return s.UnknownName(wanted.Name)
}

// Check returns the rule by which a pod may not set a sysctl, whatever a SysctlPolicy says, and why; reason is empty
// if none applies. The message completes a sentence that begins with the sysctl's name.
func Check(facts Facts, entry sysctl.Entry) (reason, message string) {
	return check(rules, facts, entry)
}

func check(rules []Rule, facts Facts, entry sysctl.Entry) (reason, message string) {
	for _, r := range rules {
		if r.Applies(facts, entry) {
			return r.Reason, r.Message(facts, entry)
		}
	}
	return "", ""
}

func shared(facts Facts) bool { return facts.Kernel != v1alpha1.GuestKernel }

// Text is a message that is the same for every pod and sysctl.
func Text(message string) func(Facts, sysctl.Entry) string {
	return func(Facts, sysctl.Entry) string { return message }
}

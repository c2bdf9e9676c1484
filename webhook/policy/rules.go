package policy

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// podRule refuses every sysctl of a pod.
type podRule struct {
	reason  string
	applies func(Facts) bool
	message func(Facts) string
}

// rule refuses one sysctl of a pod.
type rule struct {
	reason  string
	applies func(Facts, sysctl.Entry) bool
	// message completes a sentence that begins with the sysctl's name.
	message func(Facts, sysctl.Entry) string
}

// The rules that hold whatever a policy says. For each sysctl the first one that applies is told.
var (
	podRules = []podRule{windows, mirrorPod, podSecurity}
	rules    = []rule{neverOnSharedKernel, userNamespace, nodeLevel, hostNetwork, hostIPC, hostOnly}
)

// Evaluate returns every reason why a pod may not set what it asks for, in the order in which it asks; none when it may.
func (s *Set) Evaluate(facts Facts, settings []Setting) []Refusal {
	if len(settings) == 0 {
		return nil
	}
	var refusals []Refusal
	for _, r := range podRules {
		if r.applies(facts) {
			refusals = append(refusals, Refusal{r.reason, field.Forbidden(settings[0].Path, r.message(facts))})
		}
	}
	if len(refusals) > 0 {
		return refusals
	}
	selected := s.selecting(facts)
	for _, setting := range settings {
		if refusal := s.evaluate(facts, setting, selected); refusal != nil {
			refusals = append(refusals, *refusal)
		}
	}
	return refusals
}

func (s *Set) evaluate(facts Facts, setting Setting, selected []*Policy) *Refusal {
	if reason, message := Refused(facts, sysctl.Lookup(setting.Name)); reason != "" {
		return &Refusal{reason, setting.forbidden("%s", message)}
	}
	if reason, message := s.allow(selected, facts, setting.Assignment); reason != "" {
		return &Refusal{reason, setting.forbidden("%s", message)}
	}
	return nil
}

// Refused tells by which rule a pod may not set a sysctl, whatever a policy says, and why; reason is empty where none applies.
// The message completes a sentence that begins with the sysctl's name.
func Refused(facts Facts, entry sysctl.Entry) (reason, message string) {
	for _, r := range rules {
		if r.applies(facts, entry) {
			return r.reason, r.message(facts, entry)
		}
	}
	return "", ""
}

func shared(facts Facts) bool { return facts.Kernel != v1alpha1.GuestKernel }

func says(text string) func(Facts, sysctl.Entry) string {
	return func(Facts, sysctl.Entry) string { return text }
}

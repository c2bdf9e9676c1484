package policy

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// trial is what a policy does that is not in force.
type trial struct {
	warn, audit bool
	replaces    []string // policies in force; empty: all
}

// compileTrial reads spec.validationActions and spec.replaces. It returns nil for a policy in force.
func compileTrial(policy *v1alpha1.SysctlPolicy) (*trial, field.ErrorList) {
	actions, replaces := field.NewPath("spec", "validationActions"), field.NewPath("spec", "replaces")
	var errs field.ErrorList
	if policy.Spec.ValidationActions != nil && len(policy.Spec.ValidationActions) == 0 {
		errs = append(errs, field.Required(actions, "leave the field out, or name Deny, Warn or Audit"))
	}
	has := map[v1alpha1.ValidationAction]bool{}
	for i, action := range policy.Spec.ValidationActions {
		switch {
		case action != v1alpha1.Deny && action != v1alpha1.Warn && action != v1alpha1.Audit:
			errs = append(errs, field.NotSupported(actions.Index(i), action,
				[]v1alpha1.ValidationAction{v1alpha1.Audit, v1alpha1.Deny, v1alpha1.Warn}))
		case has[action]:
			errs = append(errs, field.Duplicate(actions.Index(i), action))
		}
		has[action] = true
	}
	if has[v1alpha1.Deny] && has[v1alpha1.Warn] {
		errs = append(errs, field.Forbidden(actions,
			"Deny and Warn must not be together: a rejection already tells the person what a warning would"))
	}
	if len(policy.Spec.ValidationActions) == 0 || has[v1alpha1.Deny] {
		if len(policy.Spec.Replaces) > 0 {
			errs = append(errs, field.Forbidden(replaces,
				"is only for a policy on trial, whose validationActions are Warn, Audit or both"))
		}
		return nil, errs
	}
	return &trial{warn: has[v1alpha1.Warn], audit: has[v1alpha1.Audit], replaces: policy.Spec.Replaces}, errs
}

// IsOnTrial reports whether a policy is on trial, and so allows nothing.
func IsOnTrial(policy *v1alpha1.SysctlPolicy) bool {
	on, errs := compileTrial(policy)
	return on != nil && len(errs) == 0
}

// Trial is what the policies on trial that select a pod say of it. All of them are tried together: administrators
// split one wide policy into several narrow ones.
type Trial struct {
	Policies    []string // by name
	Warn, Audit bool     // whether some of them warns, or audits
	// Violations are why the pod would be rejected if they were in force, and the policies that they replace were
	// not.
	Violations []Violation
}

// Try returns what the policies on trial say of a pod that the policies in force allow; nil if they would allow it
// too, or none selects it.
func (s *Set) Try(facts Facts, settings []Setting) *Trial {
	trying := selecting(s.trials, facts)
	if len(trying) == 0 {
		return nil
	}
	tried := &Trial{}
	var replaced []string
	all := false
	for _, p := range trying {
		tried.Policies = append(tried.Policies, p.name)
		tried.Warn, tried.Audit = tried.Warn || p.trial.warn, tried.Audit || p.trial.audit
		replaced = append(replaced, p.trial.replaces...)
		all = all || len(p.trial.replaces) == 0
	}
	asIf := &Set{policies: trying}
	for _, p := range s.policies {
		if !all && !slices.Contains(replaced, p.name) {
			asIf.policies = append(asIf.policies, p)
		}
	}
	asIf.exactNames, asIf.anyInterface = wellNamed(asIf.policies)
	selected := selecting(asIf.policies, facts)
	for _, setting := range settings {
		if reason, message := asIf.allow(selected, facts, setting.Assignment); reason != "" {
			tried.Violations = append(tried.Violations, Violation{reason, setting.forbidden("%s", message)})
		}
	}
	if len(tried.Violations) == 0 {
		return nil
	}
	return tried
}

// onTrial says which policy on trial would allow what none in force does: its author may take it for one in force.
func (s *Set) onTrial(facts Facts, wanted sysctl.Assignment) string {
	for _, p := range selecting(s.trials, facts) {
		for i := range p.rules {
			if p.rules[i].match(facts, wanted) == allowed {
				return fmt.Sprintf(" (SysctlPolicy %q would allow it, and is on trial: its spec.validationActions "+
					"lack Deny)", p.name)
			}
		}
	}
	return ""
}

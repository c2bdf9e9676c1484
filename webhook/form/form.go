// Package form decides how a pod's sysctls are set. Each form is a row of one table: which pods it is for, what it cannot do,
// the template of its container, and what admits that container. The guard is generated from the same table.
package form

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Form is one way to set a pod's sysctls.
type Form struct {
	Name string
	// Applies tells whether the form is for a pod.
	Applies func(policy.Facts) bool
	// Template is the file of the form's container below templates/forms.
	Template string
	// PodSecurity is the strictest Pod Security Standard that admits the container by itself.
	PodSecurity Level
	// NeedsGrant tells whether the pod's service account must be granted each sysctl.
	NeedsGrant bool
	// Rules reject a sysctl that the form cannot set, besides the rules of package policy.
	Rules []policy.Rule

	podRules []podRule
	// The container as configured, and its parts that are the same in every pod, as JSON.
	container corev1.Container
	encoded   encoded
}

// table lists the forms. A pod gets the first one that applies.
var table = []Form{guest, privileged}

// podRule rejects every sysctl of a pod in which a form cannot work.
type podRule struct {
	reason  string
	applies func(policy.Facts) bool
	message func(policy.Facts) string
}

// Forms is the table, with its containers as an administrator has configured them. It never changes.
type Forms struct{ forms []Form }

// For returns the form for a pod.
func (f *Forms) For(facts policy.Facts) *Form {
	return &f.forms[slices.IndexFunc(f.forms, func(form Form) bool { return form.Applies(facts) })]
}

// Check returns every reason why the form cannot work in a pod, at the path of the first setting.
func (f *Form) Check(facts policy.Facts, settings []policy.Setting) []policy.Violation {
	var violations []policy.Violation
	violate := func(reason, message string) {
		violations = append(violations, policy.Violation{Reason: reason, Err: field.Forbidden(settings[0].Path, message)})
	}
	for _, r := range f.podRules {
		if r.applies(facts) {
			violate(r.reason, r.message(facts))
		}
	}
	if f.PodSecurity.isRejectedBy(facts.NamespaceLabels[podSecurityLabel]) {
		violate("PodSecurity", podSecurityMessage(facts))
	}
	return violations
}

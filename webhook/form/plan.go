package form

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Plan is how the sysctls of one pod are set.
type Plan struct {
	// Form is that of the pod's init container.
	Form *Form
	// Container sets what the form takes.
	Container *Container
	// Contained are the settings of the container.
	Contained []policy.Setting
	// NeedsGrant tells whether the pod's service account must be granted what the container sets.
	NeedsGrant bool

	pod      Pod
	template *template
}

// Plan decides how the settings of a pod are made.
func (f *Forms) Plan(pod Pod, settings []policy.Setting) Plan {
	plan := Plan{pod: pod, Contained: settings}
	plan.Form = For(pod, settings[0].Assignment)
	fit := slices.IndexFunc(plan.Form.templates, func(t *template) bool { return t.fitsAll(settings) })
	plan.template = plan.Form.templates[fit]
	plan.Container = f.containers[plan.template][plan.template.commandFor(settings)]
	plan.NeedsGrant = plan.template.needsGrant(pod.Kubernetes)
	return plan
}

// Check returns every reason why the plan cannot work, at the path of the first setting.
func (p *Plan) Check() []policy.Violation {
	var violations []policy.Violation
	violate := func(reason, message string) {
		violations = append(violations, policy.Violation{Reason: reason, Err: field.Forbidden(p.Contained[0].Path, message)})
	}
	for _, r := range p.Form.podRules {
		if r.applies(p.pod.Facts) {
			violate(r.reason, r.message(p.pod.Facts))
		}
	}
	level := p.template.podSecurity(p.pod.Kubernetes)
	if level.isRejectedBy(p.pod.NamespaceLabels[podSecurityLabel]) {
		violate("PodSecurity", podSecurityMessage(p.pod.Facts, p.template.rejected))
	}
	return violations
}

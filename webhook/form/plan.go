package form

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Plan is how the sysctls of one pod are set.
type Plan struct {
	// Form is that of the pod's init container. Its rules hold for every sysctl of the pod.
	Form *Form
	// Container sets what is Contained; nil if nothing is.
	Container *Container
	Contained []policy.Setting
	// Native are set by spec.securityContext.sysctls.
	Native []policy.Setting

	pod      Pod
	template *template
	path     *field.Path // of the first setting
}

// Plan decides how the settings of a pod are made.
func (f *Forms) Plan(pod Pod, settings []policy.Setting) Plan {
	plan := Plan{pod: pod, path: settings[0].Path, Contained: settings}
	if pod.NativeFirst && !pod.Verify {
		plan.Native, plan.Contained = split(settings,
			func(s policy.Setting) bool { return For(pod, s.Assignment) == native })
	}
	plan.Form = table[slices.IndexFunc(table,
		func(f *Form) bool { return len(f.templates) > 0 && f.takes(pod, settings[0].Assignment) })]
	if len(plan.Contained) == 0 {
		return plan
	}
	fit := slices.IndexFunc(plan.Form.templates, func(t *template) bool { return t.fitsAll(plan.Contained) })
	plan.template = plan.Form.templates[fit]
	plan.Container = f.containers[plan.template][plan.template.commandFor(plan.Contained)]
	return plan
}

// FormOf returns the form of one of the plan's settings.
func (p *Plan) FormOf(name string) *Form {
	if slices.ContainsFunc(p.Native, func(s policy.Setting) bool { return s.Name == name }) {
		return native
	}
	return p.Form
}

// Check returns every reason why the plan cannot work, at the path of the first setting.
func (p *Plan) Check() []policy.Violation {
	var violations []policy.Violation
	violate := func(reason, message string) {
		violations = append(violations, policy.Violation{Reason: reason, Err: field.Forbidden(p.path, message)})
	}
	rules := native.podRules
	if p.Container != nil {
		rules = p.Form.podRules
	}
	for _, r := range rules {
		if r.applies(p.pod.Facts) {
			violate(r.reason, r.message(p.pod.Facts))
		}
	}
	if p.Container != nil && p.pod.isRejected(p.template.podSecurity(p.pod.podSecurityMinor())) {
		violate("PodSecurity", podSecurityMessage(p.pod.Facts, p.template.rejected))
	}
	if message := p.tooMany(); message != "" {
		violate(policy.ReasonTooManySysctls, message)
	}
	return violations
}

// tooMany says why the container cannot set so many sysctls, and what could be set without it; "" if it can.
func (p *Plan) tooMany() string {
	count := len(p.Contained)
	if count <= sysctl.MaxContained {
		return ""
	}
	if p.Form.OnlyReads {
		return fmt.Sprintf("%d sysctls are to be verified, and the init container takes at most %d; remove %d", count,
			sysctl.MaxContained, count-sysctl.MaxContained)
	}
	message := fmt.Sprintf("%d sysctls need the init container, which can set at most %d: the guard checks each of "+
		"them, and has a budget for so many",
		count, sysctl.MaxContained)
	if couldBe := p.CouldBeNative(); len(couldBe) > 0 {
		message += fmt.Sprintf("; with the annotation %s: %s, Kubernetes itself sets %d of them: %s",
			v1alpha1.StrategyAnnotation, NativeFirst, len(couldBe), strings.Join(couldBe, ", "))
		count -= len(couldBe)
	}
	if count > sysctl.MaxContained {
		message += fmt.Sprintf("; remove %d", count-sysctl.MaxContained)
		if count < len(p.Contained) {
			message += " of the others"
		}
	}
	return message
}

// CouldBeNative returns the names that would need no container if the strategy were native-first.
func (p *Plan) CouldBeNative() []string {
	pod := p.pod
	pod.NativeFirst = true
	var names []string
	for _, s := range p.Contained {
		if native.takes(pod, s.Assignment) {
			names = append(names, s.Name)
		}
	}
	return names
}

// split returns the settings that meet a condition, and the others.
func split(settings []policy.Setting, condition func(policy.Setting) bool) (meet, others []policy.Setting) {
	for _, s := range settings {
		if condition(s) {
			meet = append(meet, s)
		} else {
			others = append(others, s)
		}
	}
	return meet, others
}

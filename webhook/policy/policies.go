package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Policy is a SysctlPolicy whose selectors and patterns have been read.
type Policy struct {
	name            string
	namespaces      labels.Selector
	serviceAccounts []string
	rules           []allowRule
	trial           *trial // nil for a policy in force
}

// Name is the name of the SysctlPolicy.
func (p *Policy) Name() string { return p.name }

type allowRule struct {
	patterns []sysctl.Pattern
	kernels  []v1alpha1.Kernel
	min, max *int64
	oneOf    []string
}

// CompilePolicy reads a policy. Its errors are all that is wrong with it.
func CompilePolicy(policy *v1alpha1.SysctlPolicy) (*Policy, field.ErrorList) {
	spec := field.NewPath("spec")
	errs := metavalidation.ValidateLabelSelector(&policy.Spec.NamespaceSelector,
		metavalidation.LabelSelectorValidationOptions{}, spec.Child("namespaceSelector"))
	p := &Policy{name: policy.Name, serviceAccounts: policy.Spec.ServiceAccountNames}
	if len(policy.Spec.Allow) == 0 {
		errs = append(errs, field.Required(spec.Child("allow"), "a policy without rules allows nothing"))
	}
	for i, rule := range policy.Spec.Allow {
		compiled, ruleErrs := compileRule(rule, spec.Child("allow").Index(i))
		errs = append(errs, ruleErrs...)
		p.rules = append(p.rules, compiled)
	}
	var actionErrs field.ErrorList
	p.trial, actionErrs = compileTrial(policy)
	errs = append(errs, actionErrs...)
	if len(errs) > 0 {
		return nil, errs
	}
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.NamespaceSelector)
	if err != nil {
		return nil, field.ErrorList{field.Invalid(spec.Child("namespaceSelector"), "", err.Error())}
	}
	p.namespaces = selector
	return p, nil
}

func compileRule(rule v1alpha1.AllowRule, path *field.Path) (allowRule, field.ErrorList) {
	var errs field.ErrorList
	if len(rule.Names) == 0 {
		errs = append(errs, field.Required(path.Child("names"),
			`name what is allowed, for instance "net.core.somaxconn" or "net.ipv4.tcp_*"`))
	}
	patterns, patternErrs := parsePatterns(rule.Names, path.Child("names"))
	errs = append(errs, patternErrs...)
	for i, kernel := range rule.Kernels {
		if kernel != v1alpha1.SharedKernel && kernel != v1alpha1.GuestKernel {
			errs = append(errs, field.NotSupported(path.Child("kernels").Index(i), kernel,
				[]v1alpha1.Kernel{v1alpha1.GuestKernel, v1alpha1.SharedKernel}))
		}
	}
	if rule.Min != nil && rule.Max != nil && *rule.Min > *rule.Max {
		errs = append(errs, field.Invalid(path.Child("min"), *rule.Min,
			fmt.Sprintf("is greater than max (%d)", *rule.Max)))
	}
	oneOf := make([]string, len(rule.OneOf))
	for i, value := range rule.OneOf {
		oneOf[i] = strings.Join(strings.Fields(value), " ")
	}
	return allowRule{patterns: patterns, kernels: rule.Kernels, min: rule.Min, max: rule.Max, oneOf: oneOf}, errs
}

// match tells how close a rule of a policy that selects the pod comes to allowing a sysctl; a greater one is closer.
type match int

const (
	noMatch     match = iota // does not name the sysctl
	otherKernel              // names it, for the other kind of kernel
	outOfBounds              // names it, with bounds that the value breaks
	allowed
)

// match tells how close a rule comes to allowing a sysctl.
func (r *allowRule) match(facts Facts, wanted sysctl.Assignment) match {
	switch {
	case !r.names(wanted.Name):
		return noMatch
	case !r.on(facts.Kernel):
		return otherKernel
	case !r.lists(wanted.Value) || r.firstOutOfBounds(wanted.Value) != "" || r.loads(facts, wanted) != "":
		return outOfBounds
	default:
		return allowed
	}
}

// alternative says what a rule that names a sysctl, and does not allow it, allows instead.
func (r *allowRule) alternative(facts Facts, wanted sysctl.Assignment) string {
	value := wanted.Value
	switch {
	case !r.on(facts.Kernel):
		return fmt.Sprintf("it on a %s kernel only", joined(r.kernels))
	case !r.lists(value):
		return fmt.Sprintf("only the values %s", quoted(r.oneOf))
	case r.firstOutOfBounds(value) == "":
		return fmt.Sprintf("only the values %s, since another one makes the node load a kernel module (%s), unless "+
			"oneOf lists it",
			quoted(sysctl.CongestionControls), r.loads(facts, wanted))
	default:
		return fmt.Sprintf("only whole numbers %s, not %q", r.bounds(), r.firstOutOfBounds(value))
	}
}

func (p *Policy) selects(facts Facts) bool {
	return (len(p.serviceAccounts) == 0 || slices.Contains(p.serviceAccounts, facts.ServiceAccount)) &&
		p.namespaces.Matches(labels.Set(facts.NamespaceLabels))
}

func (r *allowRule) names(name string) bool {
	return slices.ContainsFunc(r.patterns, func(p sysctl.Pattern) bool { return p.Matches(name) })
}

func (r *allowRule) on(kernel v1alpha1.Kernel) bool {
	return len(r.kernels) == 0 || slices.Contains(r.kernels, kernel)
}

func (r *allowRule) lists(value string) bool {
	return len(r.oneOf) == 0 || slices.Contains(r.oneOf, value)
}

// loads returns the kernel module that a value may load on the node, unless the rule lists the value or the pod has
// its own kernel.
func (r *allowRule) loads(facts Facts, wanted sysctl.Assignment) string {
	if len(r.oneOf) > 0 || !shared(facts) {
		return ""
	}
	return sysctl.LoadsModule(wanted.Name, wanted.Value)
}

// firstOutOfBounds returns the first field of a value that is not within the bounds; "" if all are.
func (r *allowRule) firstOutOfBounds(value string) string {
	if r.min == nil && r.max == nil {
		return ""
	}
	for f := range strings.FieldsSeq(value) {
		if !r.within(f) {
			return f
		}
	}
	return ""
}

// within reports whether a field of a value is a whole number in the bounds.
func (r *allowRule) within(f string) bool {
	if !sysctl.IsWholeNumber(f) {
		return false
	}
	number, err := strconv.ParseInt(f, 10, 64)
	switch {
	case err == nil:
		return (r.min == nil || number >= *r.min) && (r.max == nil || number <= *r.max)
	case number < 0: // beyond 64 bits with a sign (kernel.shmmax is), and so beyond every bound on that side
		return r.min == nil
	default:
		return r.max == nil
	}
}

func (r *allowRule) bounds() string {
	switch {
	case r.max == nil:
		return fmt.Sprintf("from %d", *r.min)
	case r.min == nil:
		return fmt.Sprintf("up to %d", *r.max)
	default:
		return fmt.Sprintf("from %d to %d", *r.min, *r.max)
	}
}

func joined(kernels []v1alpha1.Kernel) string {
	words := make([]string, len(kernels))
	for i, k := range kernels {
		words[i] = string(k)
	}
	return strings.Join(words, " or ")
}

func quoted(values []string) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = strconv.Quote(v)
	}
	return strings.Join(words, ", ")
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

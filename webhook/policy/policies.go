package policy

import (
	"fmt"
	"math/big"
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
}

type allowRule struct {
	patterns []sysctl.Pattern
	kernels  []v1alpha1.Kernel
	min, max *int64
	oneOf    []string
}

// CompilePolicy reads a policy. Its errors are all that is wrong with it.
func CompilePolicy(policy *v1alpha1.SysctlPolicy) (*Policy, field.ErrorList) {
	spec := field.NewPath("spec")
	errs := metavalidation.ValidateLabelSelector(&policy.Spec.NamespaceSelector, metavalidation.LabelSelectorValidationOptions{}, spec.Child("namespaceSelector"))
	p := &Policy{name: policy.Name, serviceAccounts: policy.Spec.ServiceAccountNames}
	if len(policy.Spec.Allow) == 0 {
		errs = append(errs, field.Required(spec.Child("allow"), "a policy without rules allows nothing"))
	}
	for i, rule := range policy.Spec.Allow {
		compiled, ruleErrs := compileRule(rule, spec.Child("allow").Index(i))
		errs = append(errs, ruleErrs...)
		p.rules = append(p.rules, compiled)
	}
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
		errs = append(errs, field.Required(path.Child("names"), `name what is allowed, for instance "net.core.somaxconn" or "net.ipv4.tcp_*"`))
	}
	patterns, patternErrs := parsePatterns(rule.Names, path.Child("names"))
	errs = append(errs, patternErrs...)
	for i, kernel := range rule.Kernels {
		if kernel != v1alpha1.SharedKernel && kernel != v1alpha1.GuestKernel {
			errs = append(errs, field.NotSupported(path.Child("kernels").Index(i), kernel, []v1alpha1.Kernel{v1alpha1.GuestKernel, v1alpha1.SharedKernel}))
		}
	}
	if rule.Min != nil && rule.Max != nil && *rule.Min > *rule.Max {
		errs = append(errs, field.Invalid(path.Child("min"), *rule.Min, fmt.Sprintf("is greater than max (%d)", *rule.Max)))
	}
	oneOf := make([]string, len(rule.OneOf))
	for i, value := range rule.OneOf {
		oneOf[i] = strings.Join(strings.Fields(value), " ")
	}
	return allowRule{patterns: patterns, kernels: rule.Kernels, min: rule.Min, max: rule.Max, oneOf: oneOf}, errs
}

// nearness tells how close a policy came to allowing something; a greater one is closer.
type nearness int

const (
	_           nearness = iota // does not select the pod, or does not name the sysctl
	otherKernel                 // names it, for the other kind of kernel
	outOfBounds                 // names it, with bounds that the value breaks
	allowed
)

type verdict struct {
	nearness nearness
	lacks    string // the policy's name and what it allows instead, where it names the sysctl
}

func (p *Policy) allows(facts Facts, wanted sysctl.Assignment) verdict {
	var best verdict
	if !p.selects(facts) {
		return best
	}
	for _, r := range p.rules {
		if !r.names(wanted.Name) {
			continue
		}
		v := verdict{nearness: allowed}
		if !r.on(facts.Kernel) {
			v = verdict{otherKernel, fmt.Sprintf("SysctlPolicy %q, allows it on a %s kernel only", p.name, joined(r.kernels))}
		} else if bound := r.broken(wanted.Value); bound != "" {
			v = verdict{outOfBounds, fmt.Sprintf("SysctlPolicy %q, allows %s", p.name, bound)}
		}
		if v.nearness > best.nearness {
			best = v
		}
	}
	return best
}

func (p *Policy) selects(facts Facts) bool {
	return (len(p.serviceAccounts) == 0 || slices.Contains(p.serviceAccounts, facts.ServiceAccount)) &&
		p.namespaces.Matches(labels.Set(facts.NamespaceLabels))
}

func (r allowRule) names(name string) bool {
	return slices.ContainsFunc(r.patterns, func(p sysctl.Pattern) bool { return p.Matches(name) })
}

func (r allowRule) on(kernel v1alpha1.Kernel) bool {
	return len(r.kernels) == 0 || slices.Contains(r.kernels, kernel)
}

// broken says which bound a value breaks; "" when it keeps them all.
func (r allowRule) broken(value string) string {
	if len(r.oneOf) > 0 && !slices.Contains(r.oneOf, value) {
		return fmt.Sprintf("only the values %s", quoted(r.oneOf))
	}
	if r.min == nil && r.max == nil {
		return ""
	}
	for f := range strings.FieldsSeq(value) {
		if !r.within(f) {
			return fmt.Sprintf("only whole numbers %s, not %q", r.bounds(), f)
		}
	}
	return ""
}

// within tells whether a field of a value is a whole number in the bounds. Some are beyond 64 bits with a sign (kernel.shmmax).
// Only the plain spelling counts: the kernel reads 0100 as 64.
func (r allowRule) within(f string) bool {
	number, ok := new(big.Int).SetString(f, 10)
	return ok && number.String() == f &&
		(r.min == nil || number.Cmp(big.NewInt(*r.min)) >= 0) &&
		(r.max == nil || number.Cmp(big.NewInt(*r.max)) <= 0)
}

func (r allowRule) bounds() string {
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

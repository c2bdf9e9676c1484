package mutating

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// patterns returns the patterns of the policies in force.
func patterns(policies []*v1alpha1.SysctlPolicy) []sysctl.Pattern {
	var all []sysctl.Pattern
	for _, p := range policies {
		if policy.IsOnTrial(p) {
			continue
		}
		for _, rule := range p.Spec.Allow {
			all = append(all, rulePatterns(rule)...)
		}
	}
	return all
}

func rulePatterns(rule v1alpha1.AllowRule) []sysctl.Pattern {
	all := make([]sysctl.Pattern, len(rule.Names))
	for i, name := range rule.Names {
		all[i], _ = sysctl.ParsePattern(name) // the policy was compiled before
	}
	return all
}

// policyProblems lists the settings that no policy allows.
func policyProblems(policies []*v1alpha1.SysctlPolicy) string {
	allowed := []string{}
	for _, p := range policies {
		if policy.IsOnTrial(p) {
			continue
		}
		rules := make([]string, len(p.Spec.Allow))
		for i, rule := range p.Spec.Allow {
			rules[i] = "(" + allows(rule) + ")"
		}
		allowed = append(allowed, fmt.Sprintf("(%s && (%s))", selects(p), strings.Join(rules, "\n|| ")))
	}
	if len(allowed) == 0 {
		return "variables.judged.map(s, s.where + ': ' + s.name\n" +
			"+ ' is not allowed: the policies were rendered without a SysctlPolicy')"
	}
	return "variables.judged.filter(s, !(" + strings.Join(allowed, "\n|| ") + `))
.map(s, s.where + ': ' + s.name + ' ' + s.sign + ' ' + s.value + ' is not allowed ` +
		`by any SysctlPolicy for service account "'
+ variables.serviceAccount + '" in namespace "' + request.namespace
+ '"; an administrator can allow it in a SysctlPolicy and render the policies again')`
}

// selects returns the expression for whether a policy selects the pod.
func selects(p *v1alpha1.SysctlPolicy) string {
	terms := selector("variables.labels", p.Spec.NamespaceSelector)
	if names := p.Spec.ServiceAccountNames; len(names) > 0 {
		terms = append(terms, "variables.serviceAccount in "+list(names))
	}
	if len(terms) == 0 {
		return "true"
	}
	return strings.Join(terms, " && ")
}

// selector returns the expressions that have to hold for labels.
func selector(labels string, s metav1.LabelSelector) []string {
	var terms []string
	requirement := func(key string, operator metav1.LabelSelectorOperator, values []string) {
		value := labels + "[?" + quote(key) + "]"
		switch operator {
		case metav1.LabelSelectorOpIn:
			terms = append(terms, fmt.Sprintf("(%s.hasValue() && %[1]s.orValue('') in %s)", value, list(values)))
		case metav1.LabelSelectorOpNotIn:
			terms = append(terms, fmt.Sprintf("!(%s.hasValue() && %[1]s.orValue('') in %s)", value, list(values)))
		case metav1.LabelSelectorOpExists:
			terms = append(terms, value+".hasValue()")
		case metav1.LabelSelectorOpDoesNotExist:
			terms = append(terms, "!"+value+".hasValue()")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		requirement(key, metav1.LabelSelectorOpIn, []string{s.MatchLabels[key]})
	}
	for _, e := range s.MatchExpressions {
		requirement(e.Key, e.Operator, e.Values)
	}
	return terms
}

// allows returns the expression for whether a rule allows the setting s.
func allows(rule v1alpha1.AllowRule) string {
	var named []string
	for _, pattern := range rulePatterns(rule) {
		named = append(named, matches("s.name", pattern))
	}
	terms := []string{"(" + strings.Join(named, " || ") + ")"}
	if len(rule.Kernels) > 0 {
		kernels := make([]string, len(rule.Kernels))
		for i, kernel := range rule.Kernels {
			kernels[i] = string(kernel)
		}
		terms = append(terms, "variables.kernel in "+list(kernels))
	}
	if len(rule.OneOf) > 0 {
		values := make([]string, len(rule.OneOf))
		for i, value := range rule.OneOf {
			values[i] = strings.Join(strings.Fields(value), " ")
		}
		terms = append(terms, "s.value in "+list(values))
	} else {
		terms = append(terms, fmt.Sprintf("(variables.kernel == '%s' || s.name != '%s' || s.value in %s)",
			v1alpha1.GuestKernel, sysctl.CongestionControl, list(sysctl.CongestionControls)))
	}
	if rule.Min != nil || rule.Max != nil {
		terms = append(terms, "s.value.split(' ').all(f, f.matches(variables.grammar.number) && ("+within(rule.Min,
			rule.Max)+"))")
	}
	return strings.Join(terms, " && ")
}

// within returns the expression for whether a whole number f is within bounds. A number beyond 64 bits is
// beyond each bound on its side.
func within(low, high *int64) string {
	most := strconv.FormatInt(math.MaxInt64, 10)
	fits := fmt.Sprintf("f.size() < %d || f.size() == %[1]d && f <= '%s'", len(most), most)
	inside := "true"
	if low != nil {
		inside = fmt.Sprintf("int(f) >= %d", *low)
	}
	if high != nil {
		inside += fmt.Sprintf(" && int(f) <= %d", *high)
	}
	return fmt.Sprintf("(%s) ? %s : f.startsWith('-') ? %t : %t", fits, inside, low == nil, high == nil)
}

func list(values []string) string {
	encoded, err := json.Marshal(values)
	if err != nil {
		panic(err) // texts always encode
	}
	return string(encoded)
}

func quote(text string) string { return strings.Trim(list([]string{text}), "[]") }

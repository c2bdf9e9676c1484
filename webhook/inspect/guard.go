package inspect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apilabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// Guard has the policies and bindings that enforce standards in namespaces: either those of an API server, which may
// include unrelated ones, or those that this version renders.
type Guard struct {
	Policies []admissionregistrationv1.ValidatingAdmissionPolicy
	Bindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// NewGuard returns the guard among rendered objects.
func NewGuard[T runtime.Object](objects []T) Guard {
	var g Guard
	for _, object := range objects {
		switch object := runtime.Object(object).(type) {
		case *admissionregistrationv1.ValidatingAdmissionPolicy:
			g.Policies = append(g.Policies, *object)
		case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
			g.Bindings = append(g.Bindings, *object)
		}
	}
	return g
}

// chosen are the variables that an administrator configures: lists of strings, which differ between installations of
// one version.
var chosen = []string{"images", "guestHandlers", "kubeletSysctls"}

// Excludes reports whether a policy of the installed guard g excludes a namespace with these labels, even if its
// bindings select it.
func (g Guard) Excludes(rendered Guard, namespace map[string]string) bool {
	return slices.ContainsFunc(rendered.Policies, func(want admissionregistrationv1.ValidatingAdmissionPolicy) bool {
		p := g.policy(want.Name)
		return p != nil && p.Spec.MatchConstraints != nil &&
			!selects(p.Spec.MatchConstraints.NamespaceSelector, namespace)
	})
}

func (g Guard) policy(name string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	for i := range g.Policies {
		if g.Policies[i].Name == name {
			return &g.Policies[i]
		}
	}
	return nil
}

// Covers returns an error unless the installed guard g protects a namespace with these labels as the rendered guard
// would: with the same policies, bound so that they deny.
func (g Guard) Covers(rendered Guard, namespace map[string]string) error {
	for _, want := range rendered.Policies {
		binding := rendered.bindingOf(want.Name, namespace)
		if binding == nil {
			continue // not for a namespace with these labels
		}
		have := g.policy(want.Name)
		if have == nil {
			return fmt.Errorf("ValidatingAdmissionPolicy %q is not installed", want.Name)
		}
		if fields := differences(*have, want); len(fields) > 0 {
			return fmt.Errorf("ValidatingAdmissionPolicy %q differs from this version in %s",
				want.Name, strings.Join(fields, ", "))
		}
		if err := g.denies(*binding, namespace); err != nil {
			return err
		}
	}
	return nil
}

// bindingOf returns the binding that applies a policy to a namespace; nil if there is none.
func (g Guard) bindingOf(
	policy string, namespace map[string]string,
) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	for i, b := range g.Bindings {
		if b.Spec.PolicyName == policy && b.Spec.MatchResources != nil &&
			selects(b.Spec.MatchResources.NamespaceSelector, namespace) {
			return &g.Bindings[i]
		}
	}
	return nil
}

// denies finds an installed binding that does at least what the rendered one does. Otherwise it returns the problem
// with the binding of the same name.
func (g Guard) denies(
	want admissionregistrationv1.ValidatingAdmissionPolicyBinding, namespace map[string]string,
) error {
	problem := "is not installed"
	for _, b := range g.Bindings {
		if b.Spec.PolicyName != want.Spec.PolicyName && b.Name != want.Name {
			continue
		}
		lacks := lacking(b.Spec, want.Spec, namespace)
		if lacks == "" {
			return nil
		}
		if b.Name == want.Name {
			problem = lacks
		}
	}
	return fmt.Errorf("ValidatingAdmissionPolicyBinding %q %s", want.Name, problem)
}

// lacking returns what an installed binding lacks in a namespace, or "" if it does what the rendered one does.
func lacking(
	have, want admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec, namespace map[string]string,
) string {
	switch match := have.MatchResources; {
	case have.PolicyName != want.PolicyName:
		return fmt.Sprintf("is for policy %q", have.PolicyName)
	case !slices.Contains(have.ValidationActions, admissionregistrationv1.Deny):
		return fmt.Sprintf("does not deny: its validationActions are %v", have.ValidationActions)
	case !apiequality.Semantic.DeepEqual(have.ParamRef, want.ParamRef):
		return "has another paramRef"
	case match != nil && !selects(match.NamespaceSelector, namespace):
		return "does not select this namespace"
	case match != nil && (!isEverything(match.ObjectSelector) ||
		len(match.ResourceRules)+len(match.ExcludeResourceRules) > 0):
		return "does not select everything in this namespace"
	}
	return ""
}

// differences names the fields of a policy's spec that differ. It ignores the API server's defaults, the chosen lists,
// and the selection of namespaces, which Excludes judges.
func differences(have, want admissionregistrationv1.ValidatingAdmissionPolicy) []string {
	a, b := normalized(have.Spec), normalized(want.Spec)
	var fields []string
	for _, f := range []struct {
		name string
		a, b any
	}{
		{"failurePolicy", a.FailurePolicy, b.FailurePolicy},
		{"paramKind", a.ParamKind, b.ParamKind},
		{"matchConstraints", a.MatchConstraints, b.MatchConstraints},
		{"matchConditions", a.MatchConditions, b.MatchConditions},
		{"variables", a.Variables, b.Variables},
		{"validations", a.Validations, b.Validations},
	} {
		if !apiequality.Semantic.DeepEqual(f.a, f.b) {
			fields = append(fields, f.name)
		}
	}
	return fields
}

func normalized(
	spec admissionregistrationv1.ValidatingAdmissionPolicySpec,
) *admissionregistrationv1.ValidatingAdmissionPolicySpec {
	s := spec.DeepCopy()
	if s.FailurePolicy == nil {
		s.FailurePolicy = new(admissionregistrationv1.Fail)
	}
	if m := s.MatchConstraints; m != nil {
		m.NamespaceSelector = nil
		if isEverything(m.ObjectSelector) {
			m.ObjectSelector = nil
		}
		if m.MatchPolicy == nil {
			m.MatchPolicy = new(admissionregistrationv1.Equivalent)
		}
		for i := range m.ResourceRules {
			if m.ResourceRules[i].Scope == nil {
				m.ResourceRules[i].Scope = new(admissionregistrationv1.AllScopes)
			}
		}
	}
	for i := range s.Variables {
		if v := &s.Variables[i]; slices.Contains(chosen, v.Name) {
			if _, isList := listOf(v.Expression); isList {
				v.Expression = ""
			}
		}
	}
	return s
}

// listOf reads an expression that is a list of strings, as package guard writes it.
func listOf(expression string) (values []string, ok bool) {
	err := json.Unmarshal([]byte(expression), &values)
	return values, err == nil && values != nil
}

// Exceptions are what the guard admits beyond a standard.
type Exceptions struct {
	Images         []string // of the injected container
	KubeletSysctls []string // patterns of the native sysctls that the webhook may write
}

// Exceptions returns those of the installed guard g.
func (g Guard) Exceptions(rendered Guard) Exceptions {
	all := func(variable string) (values []string) {
		for _, choice := range g.choices(rendered, variable) {
			values = append(values, choice.values...)
		}
		slices.Sort(values)
		return slices.Compact(values)
	}
	return Exceptions{Images: all("images"), KubeletSysctls: all("kubeletSysctls")}
}

// choice is the value of a chosen variable in an installed policy.
type choice struct {
	policy string
	values []string
	isList bool
}

// choices returns the values of a chosen variable, one for each installed policy that has it.
func (g Guard) choices(rendered Guard, variable string) []choice {
	var all []choice
	for _, want := range rendered.Policies {
		have := g.policy(want.Name)
		if have == nil {
			continue
		}
		for _, v := range have.Spec.Variables {
			if v.Name == variable {
				values, isList := listOf(v.Expression)
				all = append(all, choice{want.Name, values, isList})
			}
		}
	}
	return all
}

// selects reports whether a selector matches. An invalid selector does not match.
func selects(selector *metav1.LabelSelector, namespace map[string]string) bool {
	if selector == nil {
		return true
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(apilabels.Set(namespace))
}

func isEverything(selector *metav1.LabelSelector) bool {
	return selector == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) == 0
}

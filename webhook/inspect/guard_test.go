package inspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/guard"
)

func render(t *testing.T, config guard.Config) Guard {
	t.Helper()
	objects, err := guard.Render(config)
	if err != nil {
		t.Fatal(err)
	}
	return NewGuard(objects)
}

// installed is the guard as an API server returns it, with its defaults, and with other images and handlers.
func installed(t *testing.T) Guard {
	t.Helper()
	g := render(t, guard.Config{Images: []string{"registry.example.com/busybox:1.37", "busybox:1.36"},
		GuestHandlers: []string{"kata"}})
	for i := range g.Policies {
		match := g.Policies[i].Spec.MatchConstraints
		match.MatchPolicy, match.ObjectSelector = new(admissionregistrationv1.Equivalent), &metav1.LabelSelector{}
		for j := range match.ResourceRules {
			match.ResourceRules[j].Scope = new(admissionregistrationv1.AllScopes)
		}
	}
	for i := range g.Bindings {
		match := g.Bindings[i].Spec.MatchResources
		match.MatchPolicy, match.ObjectSelector = new(admissionregistrationv1.Equivalent), &metav1.LabelSelector{}
	}
	return g
}

// enrolled returns the labels of a namespace after `enroll`.
func enrolled(level string) map[string]string {
	return map[string]string{
		corev1.LabelMetadataName: "shop", v1alpha1.InjectLabel: v1alpha1.InjectEnabled, v1alpha1.EnforceLabel: level,
	}
}

func TestCovers(t *testing.T) {
	type (
		policy  = admissionregistrationv1.ValidatingAdmissionPolicy
		binding = admissionregistrationv1.ValidatingAdmissionPolicyBinding
	)
	policies := func(name string, change func(*policy)) func(*Guard) {
		return func(g *Guard) { change(g.policy(name)) }
	}
	bindings := func(name string, change func(*binding)) func(*Guard) {
		return func(g *Guard) {
			for i := range g.Bindings {
				if g.Bindings[i].Name == name {
					change(&g.Bindings[i])
				}
			}
		}
	}
	const (
		baseline, restricted = "sysctl-injector-baseline", "sysctl-injector-restricted"
		otherVersion         = `ValidatingAdmissionPolicy "sysctl-injector-baseline" differs from this version in `
		binds                = `ValidatingAdmissionPolicyBinding "sysctl-injector-baseline" `
	)
	tests := []struct {
		name, level string
		change      func(*Guard)
		want        string
	}{
		{"enforces baseline", "baseline", func(*Guard) {}, ""},
		{"enforces restricted", "restricted", func(*Guard) {}, ""},
		{"does not need the policy of another level", "restricted",
			policies(baseline, func(p *policy) { p.Name = "other" }), ""},
		{"without the policy", "baseline", policies(baseline, func(p *policy) { p.Name = "other" }),
			`ValidatingAdmissionPolicy "sysctl-injector-baseline" is not installed`},
		{"without the policy for exec", "baseline", policies("sysctl-injector-exec",
			func(p *policy) { p.Name = "other" }), `ValidatingAdmissionPolicy "sysctl-injector-exec" is not installed`},
		{"without the policy for pods that the webhook did not see", "baseline",
			policies("sysctl-injector-presence", func(p *policy) { p.Name = "other" }),
			`ValidatingAdmissionPolicy "sysctl-injector-presence" is not installed`},
		{"with a policy that fails open", "baseline",
			policies(baseline, func(p *policy) { p.Spec.FailurePolicy = new(admissionregistrationv1.Ignore) }),
			otherVersion + "failurePolicy"},
		{"with a policy that lacks a validation", "baseline", policies(baseline,
			func(p *policy) { p.Spec.Validations = p.Spec.Validations[1:] }), otherVersion + "validations"},
		{"with a check of another version", "baseline", policies(baseline, func(p *policy) {
			for i := range p.Spec.Variables {
				if p.Spec.Variables[i].Name == "privileged" {
					p.Spec.Variables[i].Expression = "[]"
				}
			}
		}), otherVersion + "variables"},
		{"with a policy that is for other operations", "baseline", policies(baseline, func(p *policy) {
			p.Spec.MatchConstraints.ResourceRules[0].Operations = []admissionregistrationv1.OperationType{"UPDATE"}
		}), otherVersion + "matchConstraints"},
		{"with a policy that does not select all pods", "baseline", policies(baseline, func(p *policy) {
			p.Spec.MatchConstraints.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}), otherVersion + "matchConstraints"},
		{"with a policy that has another condition", "baseline", policies(baseline, func(p *policy) {
			p.Spec.MatchConditions = append(p.Spec.MatchConditions,
				admissionregistrationv1.MatchCondition{Name: "never", Expression: "false"})
		}), otherVersion + "matchConditions"},
		{"without the binding", "baseline", bindings(baseline, func(b *binding) {
			b.Name, b.Spec.PolicyName = "other",
				"other"
		}), binds + "is not installed"},
		{"with a binding that only audits", "baseline",
			bindings(baseline, func(b *binding) {
				b.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{"Audit"}
			}),
			binds + "does not deny: its validationActions are [Audit]"},
		{"with a binding of another policy", "baseline",
			bindings(baseline, func(b *binding) { b.Spec.PolicyName = "other" }), binds + `is for policy "other"`},
		{"with a binding for other namespaces", "baseline", bindings(baseline, func(b *binding) {
			b.Spec.MatchResources.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}), binds + "does not select this namespace"},
		{"with a binding that does not select all pods", "baseline", bindings(baseline, func(b *binding) {
			b.Spec.MatchResources.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}), binds + "does not select everything in this namespace"},
		{"with a binding that excludes a resource", "baseline", bindings(baseline, func(b *binding) {
			b.Spec.MatchResources.ExcludeResourceRules = []admissionregistrationv1.NamedRuleWithOperations{{}}
		}), binds + "does not select everything in this namespace"},
		{"with a binding without the parameter RuntimeClass", "restricted", bindings("sysctl-injector-kernel",
			func(b *binding) { b.Spec.ParamRef = nil }),
			`ValidatingAdmissionPolicyBinding "sysctl-injector-kernel" has another paramRef`},
		{"with a binding of another name that does the same", "baseline", func(g *Guard) {
			bindings(baseline, func(b *binding) { b.Name = "mine" })(g)
		}, ""},
		{"with a binding in force for restricted that only audits", "restricted",
			bindings(restricted, func(b *binding) { b.Spec.ValidationActions = nil }),
			`ValidatingAdmissionPolicyBinding "sysctl-injector-restricted" does not deny: its ` +
				`validationActions are []`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := installed(t)
			test.change(&g)
			namespace := enrolled(test.level)
			got := ""
			if err := g.Covers(render(t, guard.Config{Images: []string{"busybox:1.36"}}), namespace); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestExcludes(t *testing.T) {
	rendered := render(t, guard.Config{Images: []string{"busybox:1.36"}})
	foreign := admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "foreign"}}
	foreign.Spec.MatchConstraints = &admissionregistrationv1.MatchResources{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
	}
	g := installed(t)
	g.Policies = append(g.Policies, foreign)
	for name, want := range map[string]bool{"shop": false, "kube-system": true, "sysctl-injector-system": true} {
		if got := g.Excludes(rendered, map[string]string{corev1.LabelMetadataName: name}); got != want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestExceptions(t *testing.T) {
	want := Exceptions{Images: []string{"busybox:1.36", "registry.example.com/busybox:1.37"}}
	if diff := cmp.Diff(want, installed(t).Exceptions(render(t, guard.Config{Images: []string{"a"}}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

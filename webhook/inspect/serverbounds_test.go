package inspect

import (
	"os"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestJudgeBounds(t *testing.T) {
	const (
		passed = "Passed ServerBounds: 9 ValidatingAdmissionPolicies limit what the server may write"
		roles  = `Failed ServerBounds: ValidatingAdmissionPolicy "sysctl-injector-own-clusterroles", which limits ` +
			`what the server may write, `
		secrets = `Failed ServerBounds: ValidatingAdmissionPolicy "sysctl-injector-own-secrets", which limits what ` +
			`the server may write, `
		hooks = `Failed ServerBounds: ValidatingAdmissionPolicy "sysctl-injector-own-webhook", which limits what ` +
			`the server may write, `
	)
	policy := func(name string, change func(*admissionregistrationv1.ValidatingAdmissionPolicySpec)) func(*Guard) {
		return func(g *Guard) { change(&g.policy("sysctl-injector-own-" + name).Spec) }
	}
	binding := func(change func(*admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec)) func(*Guard) {
		return func(g *Guard) { change(&g.Bindings[0].Spec) }
	}
	for _, test := range []struct {
		name  string
		tweak func(*Guard)
		want  string
	}{
		{"as shipped", func(*Guard) {}, passed},
		{"with the API server's defaults", func(g *Guard) {
			for i := range g.Policies {
				match := g.Policies[i].Spec.MatchConstraints
				match.MatchPolicy = new(admissionregistrationv1.Equivalent)
				match.ObjectSelector = &metav1.LabelSelector{}
				if match.NamespaceSelector == nil {
					match.NamespaceSelector = &metav1.LabelSelector{}
				}
				for j := range match.ResourceRules {
					match.ResourceRules[j].Scope = new(admissionregistrationv1.AllScopes)
				}
			}
		}, passed},
		{"without a policy", func(g *Guard) { g.Policies = g.Policies[1:] }, roles + "is not installed"},
		{"with a policy that allows everything", policy("clusterroles",
			func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
				s.Validations = []admissionregistrationv1.Validation{{Expression: "true"}}
			}), roles + "differs from this version in validations"},
		{"with a policy for another user", policy("clusterroles",
			func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
				s.MatchConditions[0].Expression = "false"
			}),
			roles + "differs from this version in matchConditions"},
		{"with a policy for another namespace", policy("secrets",
			func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
				s.MatchConstraints.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] = "elsewhere"
			}), secrets + "differs from this version in matchConstraints.namespaceSelector"},
		{"with a binding that only audits", binding(
			func(s *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec) { s.ValidationActions = nil }),
			roles + "has no binding that denies"},
		{"with a binding for some namespaces", binding(
			func(s *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec) {
				s.MatchResources = &admissionregistrationv1.MatchResources{}
			}), roles + "has no binding that denies"},
		{"for another name of the webhook configurations", func(g *Guard) {
			other, err := Bounds(SystemNamespace, "other")
			if err != nil {
				t.Fatal(err)
			}
			*g = other
		}, hooks + "differs from this version in validations"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bounds := boundsOf(t, SystemNamespace, DefaultConfiguration)
			installed := boundsOf(t, SystemNamespace, DefaultConfiguration)
			test.tweak(&installed)
			wantAnswers(t, JudgeBounds(installed, bounds), test.want)
		})
	}
}

func boundsOf(t *testing.T, namespace, configuration string) Guard {
	t.Helper()
	bounds, err := Bounds(namespace, configuration)
	if err != nil {
		t.Fatal(err)
	}
	return bounds
}

// Bounds returns the policies that the chart renders for deploy/install.yaml. e2e/suites/chart tests other values.
func TestBoundsAreThoseOfTheChart(t *testing.T) {
	manifest, err := os.ReadFile("../../deploy/install.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var installed Guard
	if err := installed.add(string(manifest)); err != nil {
		t.Fatal(err)
	}
	wantAnswers(t, JudgeBounds(installed, boundsOf(t, SystemNamespace, DefaultConfiguration)),
		"Passed ServerBounds: 9 ValidatingAdmissionPolicies limit what the server may write")
}

package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// ownConfigurations is the part of own-objects.yaml that names the webhook configurations. The chart replaces the same
// text.
const ownConfigurations = "object.kind in ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] && " +
	"object.metadata.name == '%s'"

// Bounds returns the policies that limit the server's writes, as the chart renders them for a namespace and a name of
// the webhook configurations.
func Bounds(namespace, configuration string) (Guard, error) {
	shipped, err := shippedBounds()
	if err != nil {
		return shipped, err
	}
	was, is := fmt.Sprintf(ownConfigurations, DefaultConfiguration), fmt.Sprintf(ownConfigurations, configuration)
	isNamed := false
	for i := range shipped.Policies {
		for j := range shipped.Policies[i].Spec.Validations {
			v := &shipped.Policies[i].Spec.Validations[j]
			isNamed = isNamed || strings.Contains(v.Expression, was)
			v.Expression = strings.ReplaceAll(v.Expression, was, is)
		}
	}
	if !isNamed {
		return shipped, errors.New("no policy for the server's writes names the webhook configurations")
	}
	return shipped.In(namespace)
}

func shippedBounds() (Guard, error) {
	var bounds Guard
	for _, name := range []string{"install/own-writes.yaml", "install/own-objects.yaml"} {
		content, err := fs.ReadFile(templates.Install, name)
		if err != nil {
			return bounds, err
		}
		if err := bounds.add(string(content)); err != nil {
			return bounds, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return bounds, nil
}

// add adds the policies and bindings of a manifest.
func (g *Guard) add(manifest string) error {
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			return err
		}
		var policy admissionregistrationv1.ValidatingAdmissionPolicy
		var binding admissionregistrationv1.ValidatingAdmissionPolicyBinding
		switch kind.Kind {
		case "ValidatingAdmissionPolicy":
			if err := yaml.Unmarshal([]byte(document), &policy); err != nil {
				return err
			}
			g.Policies = append(g.Policies, policy)
		case "ValidatingAdmissionPolicyBinding":
			if err := yaml.Unmarshal([]byte(document), &binding); err != nil {
				return err
			}
			g.Bindings = append(g.Bindings, binding)
		}
	}
	return nil
}

// JudgeBounds checks whether the policies that limit the server's writes are installed as in this version, each with a
// binding that denies.
func JudgeBounds(installed, bounds Guard) []Check {
	var checks []Check
	for _, want := range bounds.Policies {
		if problem := installed.boundProblem(want); problem != "" {
			checks = append(checks, QuestionBounds.Fail("validatingadmissionpolicy/"+want.Name,
				"ValidatingAdmissionPolicy %q, which limits what the server may write, %s", want.Name, problem).
				fix(reinstall, ""))
		}
	}
	if len(checks) == 0 {
		checks = append(checks, QuestionBounds.Pass("%s limit what the server may write",
			counted(len(bounds.Policies), "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicies")))
	}
	return checks
}

// boundProblem returns why the installed policies do not limit the server's writes as want does; "" if they do.
func (g Guard) boundProblem(want admissionregistrationv1.ValidatingAdmissionPolicy) string {
	have := g.policy(want.Name)
	if have == nil {
		return "is not installed"
	}
	isBound := slices.ContainsFunc(g.Bindings, func(b admissionregistrationv1.ValidatingAdmissionPolicyBinding) bool {
		return b.Spec.PolicyName == want.Name && b.Spec.MatchResources == nil && b.Spec.ParamRef == nil &&
			slices.Contains(b.Spec.ValidationActions, admissionregistrationv1.Deny)
	})
	if !isBound {
		return "has no binding that denies"
	}
	if fields := boundDifferences(*have, want); len(fields) > 0 {
		return "differs from this version in " + strings.Join(fields, ", ")
	}
	return ""
}

// boundDifferences names the fields that differ, with the selection of namespaces.
func boundDifferences(have, want admissionregistrationv1.ValidatingAdmissionPolicy) []string {
	fields := differences(have, want)
	a, b := have.Spec.MatchConstraints, want.Spec.MatchConstraints
	if a == nil || b == nil {
		return fields // which name matchConstraints
	}
	isSame := isEverything(a.NamespaceSelector) && isEverything(b.NamespaceSelector) ||
		apiequality.Semantic.DeepEqual(a.NamespaceSelector, b.NamespaceSelector)
	if !isSame {
		fields = append(fields, "matchConstraints.namespaceSelector")
	}
	return fields
}

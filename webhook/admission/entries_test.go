package admission_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// The table is that of the manifest which is shipped.
func TestEntriesAreThoseOfTheManifest(t *testing.T) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := templates.Decode(templates.Install, "install/webhook.yaml", configuration); err != nil {
		t.Fatal(err)
	}
	var shipped []admission.Entry
	for _, webhook := range configuration.Webhooks {
		shipped = append(shipped, admission.Entry{
			Name: webhook.Name, Path: *webhook.ClientConfig.Service.Path, FailurePolicy: *webhook.FailurePolicy,
			Rules: webhook.Rules, MatchConditions: webhook.MatchConditions,
		})
	}
	if diff := cmp.Diff(shipped, admission.Entries()); diff != "" {
		t.Errorf("entries (-templates/install/webhook.yaml +table):\n%s", diff)
	}
}

// The same holds for the entry that only warns.
func TestWorkloadsEntriesAreThoseOfTheManifest(t *testing.T) {
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := templates.Decode(templates.Install, "install/warnings.yaml", configuration); err != nil {
		t.Fatal(err)
	}
	var shipped []admission.Entry
	for _, webhook := range configuration.Webhooks {
		if *webhook.SideEffects != admissionregistrationv1.SideEffectClassNone || *webhook.TimeoutSeconds > 2 {
			t.Errorf("%s has side effects %s and a timeout of %d s", webhook.Name, *webhook.SideEffects,
				*webhook.TimeoutSeconds)
		}
		shipped = append(shipped, admission.Entry{
			Name: webhook.Name, Path: *webhook.ClientConfig.Service.Path, FailurePolicy: *webhook.FailurePolicy,
			Rules: webhook.Rules, MatchConditions: webhook.MatchConditions,
		})
	}
	if diff := cmp.Diff(shipped, admission.WorkloadsEntries()); diff != "" {
		t.Errorf("entries (-templates/install/warnings.yaml +table):\n%s", diff)
	}
}

// The entries differ in what the design says, and in nothing else.
func TestEntriesDifferOnlyWhereTheyMust(t *testing.T) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := templates.Decode(templates.Install, "install/webhook.yaml", configuration); err != nil {
		t.Fatal(err)
	}
	if len(configuration.Webhooks) != 3 {
		t.Fatalf("there are %d entries", len(configuration.Webhooks))
	}
	pods, plain, defaults := configuration.Webhooks[0], configuration.Webhooks[1], configuration.Webhooks[2]
	if plain.ObjectSelector == nil || *plain.TimeoutSeconds >= *pods.TimeoutSeconds {
		t.Errorf("the entry for plain pods has object selector %v and timeout %d s", plain.ObjectSelector,
			*plain.TimeoutSeconds)
	}
	plain.Name, plain.FailurePolicy, plain.MatchConditions = pods.Name, pods.FailurePolicy, pods.MatchConditions
	plain.ObjectSelector, plain.TimeoutSeconds = pods.ObjectSelector, pods.TimeoutSeconds
	if diff := cmp.Diff(pods, plain); diff != "" {
		t.Errorf("entries (-pods +plain pods):\n%s", diff)
	}
	// A namespace has either the first two entries or the third.
	label := func(operator metav1.LabelSelectorOperator) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: v1alpha1.DefaultsLabel, Operator: operator,
			Values: []string{v1alpha1.DefaultsEnabled}}
	}
	for i, requirement := range defaults.NamespaceSelector.MatchExpressions {
		if cmp.Equal(requirement, label(metav1.LabelSelectorOpIn)) {
			defaults.NamespaceSelector.MatchExpressions[i] = label(metav1.LabelSelectorOpNotIn)
		}
	}
	defaults.Name, defaults.MatchConditions = pods.Name, pods.MatchConditions
	defaults.ClientConfig.Service.Path = pods.ClientConfig.Service.Path
	if diff := cmp.Diff(pods, defaults); diff != "" {
		t.Errorf("entries (-pods +defaults):\n%s", diff)
	}
}

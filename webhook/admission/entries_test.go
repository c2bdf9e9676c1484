package admission_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
)

// The table is that of the manifest which is shipped.
func TestEntriesAreThoseOfTheManifest(t *testing.T) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := templates.Decode(templates.Install, "install/webhook.yaml", configuration); err != nil {
		t.Fatal(err)
	}
	var shipped []admission.Entry
	for _, webhook := range configuration.Webhooks {
		for _, rule := range webhook.Rules {
			shipped = append(shipped, admission.Entry{
				Name: webhook.Name, Path: *webhook.ClientConfig.Service.Path, FailurePolicy: *webhook.FailurePolicy,
				Rule: rule, MatchConditions: webhook.MatchConditions,
			})
		}
	}
	if diff := cmp.Diff(shipped, admission.Entries()); diff != "" {
		t.Errorf("entries (-templates/install/webhook.yaml +table):\n%s", diff)
	}
}

// The two entries differ in what the design says, and in nothing else.
func TestEntriesDifferOnlyWhereTheyMust(t *testing.T) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := templates.Decode(templates.Install, "install/webhook.yaml", configuration); err != nil {
		t.Fatal(err)
	}
	if len(configuration.Webhooks) != 2 {
		t.Fatalf("there are %d entries", len(configuration.Webhooks))
	}
	pods, plain := configuration.Webhooks[0], configuration.Webhooks[1]
	if plain.ObjectSelector == nil || *plain.TimeoutSeconds >= *pods.TimeoutSeconds {
		t.Errorf("the entry for plain pods has object selector %v and timeout %d s", plain.ObjectSelector, *plain.TimeoutSeconds)
	}
	plain.Name, plain.FailurePolicy, plain.MatchConditions = pods.Name, pods.FailurePolicy, pods.MatchConditions
	plain.ObjectSelector, plain.TimeoutSeconds = pods.ObjectSelector, pods.TimeoutSeconds
	if diff := cmp.Diff(pods, plain); diff != "" {
		t.Errorf("entries (-pods +plain pods):\n%s", diff)
	}
}

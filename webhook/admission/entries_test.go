package admission_test

import (
	"errors"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// entry is what an entry of a webhook configuration shares with the code.
type entry struct {
	Name, Path    string
	FailurePolicy admissionregistrationv1.FailurePolicyType
	InConditions  []string // the project's names in the CEL, in order
	InSelectors   []string // the project's labels, in order
}

// ours matches the project's keys, and the name of the injected container.
var ours = regexp.MustCompile(v1alpha1.ContainerName + `[\w./-]*`)

func entryOf(webhook admissionregistrationv1.ValidatingWebhook) entry {
	e := entry{Name: webhook.Name, Path: *webhook.ClientConfig.Service.Path, FailurePolicy: *webhook.FailurePolicy}
	for _, condition := range webhook.MatchConditions {
		e.InConditions = append(e.InConditions, ours.FindAllString(condition.Expression, -1)...)
	}
	for _, selector := range []*metav1.LabelSelector{webhook.NamespaceSelector, webhook.ObjectSelector} {
		for i := range ptr.Deref(selector, metav1.LabelSelector{}).MatchExpressions {
			e.InSelectors = append(e.InSelectors, ours.FindAllString(selector.MatchExpressions[i].Key, -1)...)
		}
	}
	return e
}

// The manifests that are shipped have the names of the code.
func TestEntriesUseTheConstants(t *testing.T) {
	var pods admissionregistrationv1.MutatingWebhookConfiguration
	var warnings admissionregistrationv1.ValidatingWebhookConfiguration
	if err := errors.Join(templates.Decode(templates.Install, "install/webhook.yaml", &pods),
		templates.Decode(templates.Install, "install/warnings.yaml", &warnings)); err != nil {
		t.Fatal(err)
	}
	var got []entry
	for _, webhook := range pods.Webhooks {
		got = append(got, entryOf(admissionregistrationv1.ValidatingWebhook{
			Name: webhook.Name, ClientConfig: webhook.ClientConfig, FailurePolicy: webhook.FailurePolicy,
			MatchConditions: webhook.MatchConditions, NamespaceSelector: webhook.NamespaceSelector,
			ObjectSelector: webhook.ObjectSelector,
		}))
	}
	for _, webhook := range warnings.Webhooks {
		got = append(got, entryOf(webhook))
		if *webhook.SideEffects != admissionregistrationv1.SideEffectClassNone || *webhook.TimeoutSeconds > 2 {
			t.Errorf("%s has side effects %s and a timeout of %d s", webhook.Name, *webhook.SideEffects,
				*webhook.TimeoutSeconds)
		}
	}
	mentionsUs := []string{v1alpha1.GroupName + "/", v1alpha1.ContainerName}
	hasNotOptedOut := []string{v1alpha1.InjectAnnotation, v1alpha1.ContainerName}
	namespaces := []string{v1alpha1.InjectLabel, v1alpha1.DefaultsLabel}
	want := []entry{
		{admission.PodsEntry, admission.MutatePath, admissionregistrationv1.Fail,
			slices.Concat(mentionsUs, hasNotOptedOut), namespaces},
		{admission.PlainPodsEntry, admission.MutatePath, admissionregistrationv1.Ignore, nil,
			slices.Concat(namespaces, []string{v1alpha1.InjectedLabel})},
		{admission.DefaultPodsEntry, admission.DefaultsPath, admissionregistrationv1.Fail, hasNotOptedOut, namespaces},
		{admission.WorkloadsEntry, admission.WorkloadsPath, admissionregistrationv1.Ignore, nil,
			[]string{v1alpha1.InjectLabel}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-code +templates/install):\n%s", diff)
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

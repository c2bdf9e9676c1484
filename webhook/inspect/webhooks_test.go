package inspect

import (
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// shippedWebhooks returns the shipped configurations with the defaults of an API server.
func shippedWebhooks(t *testing.T) Webhooks {
	t.Helper()
	var pods admissionregistrationv1.MutatingWebhookConfiguration
	var workloads admissionregistrationv1.ValidatingWebhookConfiguration
	if err := templates.Decode(templates.Install, "install/webhook.yaml", &pods); err != nil {
		t.Fatal(err)
	}
	if err := templates.Decode(templates.Install, "install/warnings.yaml", &workloads); err != nil {
		t.Fatal(err)
	}
	pods.Webhooks[0].ObjectSelector = &metav1.LabelSelector{}
	pods.Webhooks[0].TimeoutSeconds = new(int32(9))
	found, err := FindWebhooks([]admissionregistrationv1.MutatingWebhookConfiguration{{}, pods},
		[]admissionregistrationv1.ValidatingWebhookConfiguration{workloads, {}})
	if err != nil || found.Mutating == nil || found.Warnings == nil {
		t.Fatalf("%v: %v", err, found)
	}
	return found
}

func TestJudgeWebhooks(t *testing.T) {
	const (
		pods = `Passed WebhookEntry: all entries of MutatingWebhookConfiguration "sysctl-injector" match ` +
			`this version (3)`
		warnings = `Passed WebhookEntry: all entries of ValidatingWebhookConfiguration "sysctl-injector" match ` +
			`this version (1)`
		differs = `Failed WebhookEntry: the entry pods.sysctl-injector.dev of MutatingWebhookConfiguration ` +
			`"sysctl-injector" differs from this version: `
		plain = `Failed WebhookEntry: the entry plain.pods.sysctl-injector.dev of MutatingWebhookConfiguration ` +
			`"sysctl-injector" differs from this version: `
		patch = "kubectl patch mutatingwebhookconfiguration sysctl-injector --type=json -p "
	)
	for _, test := range []struct {
		name    string
		tweak   func(*Webhooks)
		minor   uint
		want    []string
		command string // of the first
	}{
		{"as they are shipped", func(*Webhooks) {}, 37, []string{pods, warnings}, ""},
		{"under another name", func(w *Webhooks) { w.Mutating.Name = "zz-sysctl-injector" }, 37,
			[]string{`Passed WebhookEntry: all entries of MutatingWebhookConfiguration "zz-sysctl-injector" match ` +
				`this version (3)`, warnings}, ""},
		{"none", func(w *Webhooks) { w.Mutating, w.Warnings = nil, nil }, 37,
			[]string{"Failed WebhookEntry: no MutatingWebhookConfiguration has an entry of sysctl-injector: no pod " +
				"is injected"}, ""},
		{"without warnings", func(w *Webhooks) { w.Warnings = nil }, 37,
			[]string{pods, "Passed WebhookEntry: warnings about workloads are off: there is no " +
				"ValidatingWebhookConfiguration"}, ""},
		{"a missing entry", func(w *Webhooks) { w.Mutating.Entries = w.Mutating.Entries[:2] }, 37,
			[]string{`Failed WebhookEntry: MutatingWebhookConfiguration "sysctl-injector" lacks the entry ` +
				`defaults.pods.sysctl-injector.dev`, warnings}, ""},
		{"an entry with Ignore instead of Fail",
			func(w *Webhooks) { w.Mutating.Entries[0].FailurePolicy = new(admissionregistrationv1.Ignore) }, 37,
			[]string{differs + "failurePolicy differs, so pods are admitted without injection while the " +
				"webhook is down",
				warnings},
			patch + `'[{"op":"add","path":"/webhooks/0/failurePolicy","value":"Fail"}]'`},
		{"an entry with Fail instead of Ignore",
			func(w *Webhooks) { w.Mutating.Entries[1].FailurePolicy = new(admissionregistrationv1.Fail) }, 37,
			[]string{plain + "failurePolicy differs, so an outage of the webhook rejects requests that do not need it",
				warnings},
			patch + `'[{"op":"add","path":"/webhooks/1/failurePolicy","value":"Ignore"}]'`},
		{"two fields", func(w *Webhooks) {
			w.Mutating.Entries[1].ObjectSelector, w.Mutating.Entries[1].ReinvocationPolicy = nil,
				new(admissionregistrationv1.NeverReinvocationPolicy)
		}, 37, []string{plain + "objectSelector differs, so it is called for other pods; reinvocationPolicy " +
			"differs, so other webhooks may change the injected container afterwards", warnings},
			patch +
				`'[{"op":"add","path":"/webhooks/1/objectSelector","value":{"matchExpressions":` +
				`[{"key":"sysctl-injector.dev/injected","operator":"DoesNotExist"}]}},` +
				`{"op":"add","path":"/webhooks/1/reinvocationPolicy","value":"IfNeeded"}]'`},
		{"a platform's own requirement", func(w *Webhooks) {
			selector := w.Mutating.Entries[0].NamespaceSelector
			selector.MatchExpressions = slices.Insert(selector.MatchExpressions, 0, metav1.LabelSelectorRequirement{
				Key: "control-plane", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"true"}})
		}, 37, []string{`Warning WebhookEntry: the namespaceSelector of the entry pods.sysctl-injector.dev of ` +
			`MutatingWebhookConfiguration "sysctl-injector" has more requirements than that of this version: it is ` +
			`called only in namespaces that match "control-plane notin (true)"`, warnings}, ""},
		{"a missing requirement, and another one", func(w *Webhooks) {
			w.Mutating.Entries[0].NamespaceSelector.MatchExpressions[0] = metav1.LabelSelectorRequirement{
				Key: "control-plane", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"true"}}
		}, 37, []string{differs + "namespaceSelector differs, so it is called in other namespaces", warnings},
			patch + `'[{"op":"add","path":"/webhooks/0/namespaceSelector","value":{"matchExpressions":[` +
				`{"key":"sysctl-injector.dev/inject","operator":"In","values":["enabled"]},` +
				`{"key":"sysctl-injector.dev/defaults","operator":"NotIn","values":["enabled"]},` +
				`{"key":"kubernetes.io/metadata.name","operator":"NotIn",` +
				`"values":["kube-system","sysctl-injector-system"]}]}}]'`},
		{"another path", func(w *Webhooks) { w.Mutating.Entries[0].ClientConfig.Service.Path = new("/mutate") }, 37,
			[]string{differs + `its path is "/mutate" instead of "/mutate-pods", so the server confuses its ` +
				`requests with others`,
				warnings},
			patch + `'[{"op":"add","path":"/webhooks/0/clientConfig/service/path","value":"/mutate-pods"}]'`},
		{"Kubernetes 1.24, which has no matchConditions", func(w *Webhooks) {
			for _, webhook := range []*Webhook{w.Mutating, w.Warnings} {
				for i := range webhook.Entries {
					webhook.Entries[i].MatchConditions = nil
				}
			}
			w.Mutating.Entries = append(w.Mutating.Entries[:1], w.Mutating.Entries[2:]...)
		}, 24, []string{`Passed WebhookEntry: all entries of MutatingWebhookConfiguration "sysctl-injector" match ` +
			`this version (2)`, warnings}, ""},
		{"another namespace", func(w *Webhooks) {
			for _, webhook := range []*Webhook{w.Mutating, w.Warnings} {
				for i := range webhook.Entries {
					webhook.Entries[i].ClientConfig.Service.Namespace = "tuning"
					expressions := webhook.Entries[i].NamespaceSelector.MatchExpressions
					expressions[len(expressions)-1].Values[1] = "tuning"
				}
			}
		}, 37, []string{pods, warnings}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := shippedWebhooks(t)
			test.tweak(&w)
			got, err := JudgeWebhooks(w, test.minor)
			if err != nil {
				t.Fatal(err)
			}
			wantAnswers(t, got, test.want...)
			if got[0].Command != test.command {
				t.Errorf("the command is\n%s\nwant\n%s", got[0].Command, test.command)
			}
		})
	}
}

func TestJudgeDefinitions(t *testing.T) {
	definitions := func() []Definition {
		all, err := Definitions()
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			all[i].Status.Conditions = append(all[i].Status.Conditions, struct {
				Type    string `json:"type"`
				Status  string `json:"status"`
				Message string `json:"message"`
			}{"Established", "True", ""})
		}
		return all
	}
	wanted := definitions()
	wantAnswers(t, JudgeDefinitions(wanted, wanted, 37), "Passed CustomResourceDefinition: 2 CRDs match this "+
		"version")
	wantAnswers(t, JudgeDefinitions(wanted[1:], wanted, 37),
		"Failed CustomResourceDefinition: the CRD sysctlpolicies.sysctl-injector.dev is not installed")
	stripped := definitions()
	schema := string(stripped[0].Spec.Versions[0].Schema)
	stripped[0].Spec.Versions[0].Schema = []byte(strings.ReplaceAll(schema, `"x-kubernetes-validations"`,
		`"x-kubernetes-dropped"`))
	if got := JudgeDefinitions(stripped, wanted, 37); got[0].Status != Failed {
		t.Errorf("a schema without validations: %s", got[0].Message)
	}
	older := definitions()
	older[1].Spec.Versions[0].Schema = []byte(strings.Replace(string(older[1].Spec.Versions[0].Schema), `"appliesTo"`,
		`"applied"`, 1))
	older[1].Spec.Versions[0].Subresources = nil
	wantAnswers(t, JudgeDefinitions(older, wanted, 37), "Failed CustomResourceDefinition: the CRD "+
		"sysctlprofiles.sysctl-injector.dev differs from this version in v1alpha1.schema, v1alpha1.subresources. "+
		"Helm does not change CRDs in an upgrade")
	unserved := definitions()
	unserved[0].Status.Conditions[0].Status = "False"
	unserved[0].Status.Conditions[0].Message = "the plural name is taken"
	wantAnswers(t, JudgeDefinitions(unserved, wanted, 37),
		"Failed CustomResourceDefinition: the API server does not serve the CRD sysctlpolicies.sysctl-injector.dev: "+
			"the plural name is taken")
}

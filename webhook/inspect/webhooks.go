package inspect

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// SystemNamespace is the default namespace of an installation.
const SystemNamespace = "sysctl-injector-system"

// DefaultConfiguration is the default name of the webhook configurations.
const DefaultConfiguration = "sysctl-injector"

// matchConditionsSince is the first minor version of Kubernetes whose webhooks have matchConditions.
const matchConditionsSince = 28

// reinstall is the remedy if no single command restores an object. AddReinstall adds the command.
const reinstall = "install this version again with your values (Helm 3 has no --force-conflicts, and does not need it):"

// Webhooks holds the webhook configurations of an installation. Both kinds have the same fields, so one type holds
// them.
type Webhooks struct {
	// Mutating calls the server for pods. Nil: it is not installed.
	Mutating *Webhook
	// Warnings calls it for workloads. Nil: warnings are off.
	Warnings *Webhook
}

// Webhook is a webhook configuration of either kind.
type Webhook struct {
	Kind, Name  string
	Annotations map[string]string
	Entries     []admissionregistrationv1.MutatingWebhook
}

func (w Webhook) object() string { return strings.ToLower(w.Kind) + "/" + w.Name }

func mutating(c *admissionregistrationv1.MutatingWebhookConfiguration) *Webhook {
	return &Webhook{Kind: "MutatingWebhookConfiguration", Name: c.Name, Annotations: c.Annotations, Entries: c.Webhooks}
}

func validating(c *admissionregistrationv1.ValidatingWebhookConfiguration) *Webhook {
	w := &Webhook{Kind: "ValidatingWebhookConfiguration", Name: c.Name, Annotations: c.Annotations}
	for _, e := range c.Webhooks {
		w.Entries = append(w.Entries, admissionregistrationv1.MutatingWebhook{
			Name: e.Name, ClientConfig: e.ClientConfig, Rules: e.Rules, FailurePolicy: e.FailurePolicy,
			MatchPolicy: e.MatchPolicy, NamespaceSelector: e.NamespaceSelector, ObjectSelector: e.ObjectSelector,
			SideEffects:             e.SideEffects,
			AdmissionReviewVersions: e.AdmissionReviewVersions, MatchConditions: e.MatchConditions,
		})
	}
	return w
}

// FindWebhooks finds the project's webhook configurations in a cluster by the names of their entries. An
// administrator may choose the configurations' own names.
func FindWebhooks(
	pods []admissionregistrationv1.MutatingWebhookConfiguration,
	workloads []admissionregistrationv1.ValidatingWebhookConfiguration,
) (Webhooks, error) {
	var found Webhooks
	want, err := wantedWebhooks()
	if err != nil {
		return found, err
	}
	for i := range pods {
		if w := mutating(&pods[i]); w.hasAny(want.Mutating) {
			found.Mutating = w
		}
	}
	for i := range workloads {
		if w := validating(&workloads[i]); w.hasAny(want.Warnings) {
			found.Warnings = w
		}
	}
	return found, nil
}

func wantedWebhooks() (Webhooks, error) {
	var pods admissionregistrationv1.MutatingWebhookConfiguration
	var workloads admissionregistrationv1.ValidatingWebhookConfiguration
	if err := templates.Decode(templates.Install, "install/webhook.yaml", &pods); err != nil {
		return Webhooks{}, err
	}
	if err := templates.Decode(templates.Install, "install/warnings.yaml", &workloads); err != nil {
		return Webhooks{}, err
	}
	return Webhooks{mutating(&pods), validating(&workloads)}, nil
}

func (w Webhook) hasAny(of *Webhook) bool {
	return slices.ContainsFunc(of.Entries,
		func(e admissionregistrationv1.MutatingWebhook) bool { return w.index(e.Name) >= 0 })
}

func (w Webhook) index(name string) int {
	return slices.IndexFunc(w.Entries, func(e admissionregistrationv1.MutatingWebhook) bool { return e.Name == name })
}

// Name returns the name of the webhook configurations, or the default name if none is installed.
func (w Webhooks) Name() string {
	for _, c := range []*Webhook{w.Mutating, w.Warnings} {
		if c != nil {
			return c.Name
		}
	}
	return DefaultConfiguration
}

// Namespace returns the namespace of the service that the API server calls; "" if it calls none.
func (w Webhooks) Namespace() string {
	if w.Mutating == nil {
		return ""
	}
	for _, e := range w.Mutating.Entries {
		if e.ClientConfig.Service != nil {
			return e.ClientConfig.Service.Namespace
		}
	}
	return ""
}

// JudgeWebhooks compares the entries with those of this version, for a minor version of the API server. It ignores
// the timeouts, the name and the annotations, which an administrator may choose. JudgeCABundles checks the caBundle.
func JudgeWebhooks(installed Webhooks, minor uint) ([]Check, error) {
	want, err := wantedWebhooks()
	if err != nil {
		return nil, err
	}
	if installed.Mutating == nil {
		return []Check{QuestionEntry.Fail("",
			"no MutatingWebhookConfiguration has an entry of sysctl-injector: no pod is injected").
			fix(reinstall, "")}, nil
	}
	namespace := installed.Namespace()
	checks := installed.Mutating.judge(want.Mutating.in(namespace, minor))
	if installed.Warnings == nil {
		return append(checks, QuestionEntry.Pass(
			"warnings about workloads are off: there is no ValidatingWebhookConfiguration")), nil
	}
	return append(checks, installed.Warnings.judge(want.Warnings.in(namespace, minor))...), nil
}

// in returns the entries as the chart renders them for a namespace and a version of Kubernetes.
func (w Webhook) in(namespace string, minor uint) Webhook {
	var entries []admissionregistrationv1.MutatingWebhook
	for _, e := range w.Entries {
		e = *e.DeepCopy()
		if namespace != "" {
			e.ClientConfig.Service.Namespace = namespace
			for i := range e.NamespaceSelector.MatchExpressions {
				values := e.NamespaceSelector.MatchExpressions[i].Values
				for v := range values {
					values[v] = strings.ReplaceAll(values[v], SystemNamespace, namespace)
				}
			}
		}
		if minor < matchConditionsSince {
			if strings.HasPrefix(e.Name, "plain.") {
				continue
			}
			e.MatchConditions = nil
		}
		entries = append(entries, e)
	}
	w.Entries = entries
	return w
}

func (w Webhook) judge(want Webhook) []Check {
	var checks []Check
	for _, entry := range want.Entries {
		i := w.index(entry.Name)
		if i < 0 {
			checks = append(checks, QuestionEntry.Fail(w.object(), "%s %q lacks the entry %s", w.Kind, w.Name,
				entry.Name).
				fix(reinstall, ""))
			continue
		}
		have := *w.Entries[i].DeepCopy()
		if more := further(have.NamespaceSelector, entry.NamespaceSelector); more != nil {
			checks = append(checks, QuestionEntry.Warn(w.object(),
				"the namespaceSelector of the entry %s of %s %q has more requirements than that of this version: it "+
					"is called only in namespaces that match %q",
				entry.Name, w.Kind, w.Name, metav1.FormatLabelSelector(more)).
				fix("remove them, unless a platform such as AKS added them and they match all enrolled namespaces", ""))
			have.NamespaceSelector = entry.NamespaceSelector
		}
		changes, patch := entryChanges(i, have, entry)
		if len(changes) > 0 {
			checks = append(checks, QuestionEntry.Fail(w.object(),
				"the entry %s of %s %q differs from this version: %s",
				entry.Name, w.Kind, w.Name, strings.Join(changes, "; ")).
				fix("restore these fields:",
					"kubectl patch "+strings.ToLower(w.Kind)+" "+w.Name+" --type=json -p "+shellQuote(patch)))
		}
	}
	if len(checks) == 0 {
		checks = append(checks, QuestionEntry.Pass("all entries of %s %q match this version (%d)", w.Kind, w.Name,
			len(want.Entries)))
	}
	return checks
}

// further returns what a selector requires beyond all that is wanted; nil if there is nothing, or something wanted is
// missing.
func further(have, want *metav1.LabelSelector) *metav1.LabelSelector {
	if have == nil || want == nil || len(want.MatchLabels) > 0 {
		return nil
	}
	isWanted := func(r metav1.LabelSelectorRequirement) bool { return hasRequirement(want, r) }
	more := &metav1.LabelSelector{MatchLabels: have.MatchLabels,
		MatchExpressions: slices.DeleteFunc(slices.Clone(have.MatchExpressions), isWanted)}
	for _, r := range want.MatchExpressions {
		if !hasRequirement(have, r) {
			return nil
		}
	}
	if isEverything(more) {
		return nil
	}
	return more
}

func hasRequirement(selector *metav1.LabelSelector, r metav1.LabelSelectorRequirement) bool {
	return slices.ContainsFunc(selector.MatchExpressions, func(s metav1.LabelSelectorRequirement) bool {
		return apiequality.Semantic.DeepEqual(s, r)
	})
}

// entryField is a field of an entry that an administrator must not change.
type entryField struct {
	name       string
	have, want any
	// means describes the consequence of another value.
	means string
}

// entryChanges returns the differences of the entry at an index, and a JSON patch that corrects them.
func entryChanges(index int, have, want admissionregistrationv1.MutatingWebhook) (changes []string, patch string) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"`
	}
	var operations []operation
	have, want = withDefaults(have), withDefaults(want)
	for _, f := range []entryField{
		{"failurePolicy", have.FailurePolicy, want.FailurePolicy, outage(*want.FailurePolicy)},
		{"matchConditions", have.MatchConditions, want.MatchConditions, "the webhook is called for other requests"},
		{"matchPolicy", have.MatchPolicy, want.MatchPolicy, "requests in other API versions may bypass it"},
		{"namespaceSelector", have.NamespaceSelector, want.NamespaceSelector, "it is called in other namespaces"},
		{"objectSelector", have.ObjectSelector, want.ObjectSelector, "it is called for other pods"},
		{"reinvocationPolicy", have.ReinvocationPolicy, want.ReinvocationPolicy,
			"other webhooks may change the injected container afterwards"},
		{"rules", have.Rules, want.Rules, "it is called for other requests"},
		{"sideEffects", have.SideEffects, want.SideEffects, "dry runs are handled incorrectly"},
		{"admissionReviewVersions", have.AdmissionReviewVersions, want.AdmissionReviewVersions,
			"the server only supports v1"},
	} {
		if apiequality.Semantic.DeepEqual(f.have, f.want) {
			continue
		}
		changes = append(changes, fmt.Sprintf("%s differs, so %s", f.name, f.means))
		operations = append(operations, operation{"add", fmt.Sprintf("/webhooks/%d/%s", index, f.name), f.want})
	}
	if path := pathOf(have); path != pathOf(want) {
		changes = append(changes, fmt.Sprintf(
			"its path is %q instead of %q, so the server confuses its requests with others", path, pathOf(want)))
		if have.ClientConfig.Service != nil {
			operations = append(operations, operation{"add", fmt.Sprintf("/webhooks/%d/clientConfig/service/path",
				index), pathOf(want)})
		}
	}
	var encoded strings.Builder
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)   // "&&" in an expression stays readable
	_ = encoder.Encode(operations) // plain data
	return changes, strings.TrimSpace(encoded.String())
}

// outage describes the consequence of a wrong failurePolicy.
func outage(wanted admissionregistrationv1.FailurePolicyType) string {
	if wanted == admissionregistrationv1.Fail {
		return "pods are admitted without injection while the webhook is down"
	}
	return "an outage of the webhook rejects requests that do not need it"
}

func pathOf(e admissionregistrationv1.MutatingWebhook) string {
	switch c := e.ClientConfig; {
	case c.Service != nil && c.Service.Path != nil:
		return *c.Service.Path
	case c.URL != nil:
		if parsed, err := url.Parse(*c.URL); err == nil {
			return parsed.Path
		}
	}
	return ""
}

// withDefaults sets the API server's defaults.
func withDefaults(e admissionregistrationv1.MutatingWebhook) admissionregistrationv1.MutatingWebhook {
	e = *e.DeepCopy()
	if e.FailurePolicy == nil {
		e.FailurePolicy = new(admissionregistrationv1.Fail)
	}
	if e.MatchPolicy == nil {
		e.MatchPolicy = new(admissionregistrationv1.Equivalent)
	}
	if e.ReinvocationPolicy == nil {
		e.ReinvocationPolicy = new(admissionregistrationv1.NeverReinvocationPolicy)
	}
	for _, selector := range []**metav1.LabelSelector{&e.NamespaceSelector, &e.ObjectSelector} {
		if *selector == nil {
			*selector = &metav1.LabelSelector{}
		}
	}
	for i := range e.Rules {
		if e.Rules[i].Scope == nil {
			e.Rules[i].Scope = new(admissionregistrationv1.AllScopes)
		}
	}
	return e
}

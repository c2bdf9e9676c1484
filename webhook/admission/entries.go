package admission

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Where pods are decided upon, and workloads looked at. DefaultsPath is for namespaces in which profiles may apply to
// pods that ask for nothing: a review does not say which entry it is for.
const (
	MutatePath    = "/mutate-pods"
	DefaultsPath  = MutatePath + "/defaults"
	WorkloadsPath = "/warn-workloads"
)

// The names of the entries, as the API server's messages have them.
const (
	PodsEntry        = "pods." + v1alpha1.GroupName
	PlainPodsEntry   = "plain.pods." + v1alpha1.GroupName
	DefaultPodsEntry = "defaults.pods." + v1alpha1.GroupName
	WorkloadsEntry   = "workloads." + v1alpha1.GroupName
)

// Entry is an entry of the MutatingWebhookConfiguration or of the ValidatingWebhookConfiguration: which requests the
// API server sends where.
type Entry struct {
	Name, Path      string
	FailurePolicy   admissionregistrationv1.FailurePolicyType
	Rules           []admissionregistrationv1.RuleWithOperations
	MatchConditions []admissionregistrationv1.MatchCondition
}

// Entries returns the entries in the order in which the API server calls them. A test compares them with
// templates/install/webhook.yaml, which says the rest: namespaces, labels and timeouts.
//
//	entry                              is for                                   while the webhook is down
//	pods.sysctl-injector.dev           pods that mention us                     they are rejected
//	plain.pods.sysctl-injector.dev     pods that do not, or were not injected   they are created
//	defaults.pods.sysctl-injector.dev  all pods of a namespace with defaults    they are rejected
//
// A pod that mentions us has a key with our prefix or a container with the reserved name. No rejection affects pods
// that have opted out, unless they have such a container: that is the way to start a pod in spite of an outage. The
// second entry is for
// pods that a later webhook annotates: the API server calls it again after such a change, and would not call the
// first one then. The third entry takes the place of both where profiles may apply to any pod, so that each pod is
// asked about once.
func Entries() []Entry {
	return []Entry{
		{PodsEntry, MutatePath, admissionregistrationv1.Fail, podCreation(),
			[]admissionregistrationv1.MatchCondition{mentionsUs, hasNotOptedOut}},
		{PlainPodsEntry, MutatePath, admissionregistrationv1.Ignore, podCreation(), nil},
		{DefaultPodsEntry, DefaultsPath, admissionregistrationv1.Fail, podCreation(),
			[]admissionregistrationv1.MatchCondition{hasNotOptedOut}},
	}
}

// WorkloadsEntries returns the entries of the ValidatingWebhookConfiguration. A test compares them with
// templates/install/warnings.yaml.
//
// The conditions keep away what no person would read, and what says nothing about sysctls: objects that a controller
// makes, updates that change neither the pod template nor our keys, and objects without such a key and without native
// sysctls. They look for "sysctl" in a key, since a misspelled prefix is among what the warnings are for.
func WorkloadsEntries() []Entry {
	return []Entry{{WorkloadsEntry, WorkloadsPath, admissionregistrationv1.Ignore,
		[]admissionregistrationv1.RuleWithOperations{
			workloadChange("apps", "deployments", "statefulsets", "daemonsets", "replicasets"),
			workloadChange("batch", "jobs", "cronjobs"),
		}, []admissionregistrationv1.MatchCondition{
			{Name: "made-by-a-person", Expression: "object.metadata.?ownerReferences.orValue([]).all(o, " +
				"!o.?controller.orValue(false))"},
			{Name: "mentions-sysctls", Expression: "[object, object.spec.?template.orValue({}), " +
				"object.spec.?jobTemplate.orValue({}),\n" +
				"object.spec.?jobTemplate.spec.template.orValue({})].exists(o,\n" +
				"['annotations', 'labels'].exists(kind, o.?metadata[?kind].orValue({}).exists(key, " +
				"key.contains('sysctl')))\n" +
				"|| o.?spec.securityContext.sysctls.orValue([]).size() > 0)"},
			{Name: "changes-them", Expression: "oldObject == null\n" +
				"|| object.spec.?template != oldObject.spec.?template\n" +
				"|| object.spec.?jobTemplate != oldObject.spec.?jobTemplate\n" +
				"|| ['annotations', 'labels'].exists(kind, object.metadata[?kind].orValue({}).exists(key, " +
				"key.contains('sysctl')\n" +
				"&& oldObject.metadata[?kind][?key] != object.metadata[?kind][?key]))"},
		}}}
}

func workloadChange(group string, resources ...string) admissionregistrationv1.RuleWithOperations {
	return rule(group, resources, admissionregistrationv1.Create, admissionregistrationv1.Update)
}

func podCreation() []admissionregistrationv1.RuleWithOperations {
	return []admissionregistrationv1.RuleWithOperations{rule("", []string{"pods"}, admissionregistrationv1.Create)}
}

func rule(group string, resources []string,
	operations ...admissionregistrationv1.OperationType) admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: operations,
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: resources,
			Scope: new(admissionregistrationv1.NamespacedScope),
		},
	}
}

// hasReservedName is a condition on a pod. A mutating webhook sees pods before they are validated, so a list may be
// null.
const hasReservedName = "['initContainers', 'containers', 'ephemeralContainers']" +
	".exists(list, object.spec[?list].orValue(null) != null\n" +
	"&& object.spec[list].exists(container, container.name == '" + v1alpha1.ContainerName + "'))"

var (
	mentionsUs = admissionregistrationv1.MatchCondition{
		Name: "mentions-sysctl-injector",
		Expression: "['annotations', 'labels'].exists(kind, object.metadata[?kind].orValue({})" +
			".exists(key, key.startsWith('" + v1alpha1.GroupName + "/')))\n|| " + hasReservedName,
	}
	hasNotOptedOut = admissionregistrationv1.MatchCondition{
		Name: "has-not-opted-out",
		Expression: "object.metadata.?annotations[?'" + v1alpha1.InjectAnnotation +
			"'].orValue('').trim() != 'false'\n|| " + hasReservedName,
	}
)

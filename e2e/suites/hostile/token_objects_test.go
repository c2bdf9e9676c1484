package hostile_test

import (
	"context"
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// typed turns an edit of a type into an edit of any object.
func typed[T client.Object](edit func(T)) func(client.Object) {
	return func(object client.Object) { edit(object.(T)) }
}

// The server changes only the CA bundles in its own webhook configuration. With other changes it would be called for
// other objects.
func TestOwnWebhookConfiguration(t *testing.T) {
	a := holder(t)
	const noConfiguration = "sysctl-injector changes only the CA bundles of its own webhook configurations"
	setAside(t,
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: installation.Name}})
	live := &admissionregistrationv1.MutatingWebhookConfiguration{}
	must(t, templates.Decode(templates.Install, "install/webhook.yaml", live))
	certificate, err := suite.Cluster(t).ServingCertificate("hostile")
	must(t, err)
	// The selector keeps the API server from calling a server that is not there.
	selector := metav1.LabelSelectorRequirement{Key: "example.com/site", Operator: metav1.LabelSelectorOpIn,
		Values: []string{"none"}}
	for n := range live.Webhooks {
		namespaces := live.Webhooks[n].NamespaceSelector
		namespaces.MatchExpressions = append(namespaces.MatchExpressions, selector)
	}
	foreign := live.DeepCopy()
	foreign.Name = "foreign"
	exist(t, live, foreign)
	fresh := live.DeepCopy()
	fresh.ObjectMeta = metav1.ObjectMeta{Name: "new"}
	type configuration = admissionregistrationv1.MutatingWebhookConfiguration
	for _, test := range []struct {
		name string
		edit func(*configuration)
		want string
	}{
		{"with another CA bundle", func(c *configuration) { c.Webhooks[0].ClientConfig.CABundle = certificate.CA }, ""},
		{"with another CA bundle for each entry", func(c *configuration) {
			c.Webhooks[0].ClientConfig.CABundle, c.Webhooks[1].ClientConfig.CABundle = certificate.CA, certificate.CA
		}, ""},
		{"for every resource", func(c *configuration) { c.Webhooks[0].Rules[0].Resources = []string{"*"} },
			noConfiguration},
		{"for updates", func(c *configuration) {
			c.Webhooks[0].Rules[0].Operations = append(c.Webhooks[0].Rules[0].Operations,
				admissionregistrationv1.Update)
		}, noConfiguration},
		{"for every namespace", func(c *configuration) { c.Webhooks[0].NamespaceSelector = &metav1.LabelSelector{} },
			noConfiguration},
		{"for some objects", func(c *configuration) {
			c.Webhooks[0].ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		}, noConfiguration},
		{"that fails open", func(c *configuration) {
			c.Webhooks[0].FailurePolicy = new(admissionregistrationv1.Ignore)
		}, noConfiguration},
		{"with another timeout", func(c *configuration) { c.Webhooks[0].TimeoutSeconds = new(int32(30)) },
			noConfiguration},
		{"with another path", func(c *configuration) { c.Webhooks[0].ClientConfig.Service.Path = new("/other") },
			noConfiguration},
		{"with a URL", func(c *configuration) {
			c.Webhooks[0].ClientConfig.Service, c.Webhooks[0].ClientConfig.URL = nil, new("https://example.com/")
		}, noConfiguration},
		{"with a condition", func(c *configuration) {
			c.Webhooks[0].MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "a", Expression: "true"}}
		}, noConfiguration},
		{"whose first entry has no condition", func(c *configuration) { c.Webhooks[0].MatchConditions = nil },
			noConfiguration},
		{"whose second entry is for every object", func(c *configuration) { c.Webhooks[1].ObjectSelector = nil },
			noConfiguration},
		{"whose second entry is for every namespace", func(c *configuration) {
			c.Webhooks[1].NamespaceSelector = &metav1.LabelSelector{}
		}, noConfiguration},
		{"with the entries in another order", func(c *configuration) { slices.Reverse(c.Webhooks) }, noConfiguration},
		{"without the second entry", func(c *configuration) { c.Webhooks = c.Webhooks[:1] }, noConfiguration},
		{"with an additional webhook", func(c *configuration) {
			other := c.Webhooks[0].DeepCopy()
			other.Name = "other.example.com"
			c.Webhooks = append(c.Webhooks, *other)
		}, noConfiguration},
		{"without a webhook", func(c *configuration) { c.Webhooks = nil }, noConfiguration},
		{"with an annotation",
			func(c *configuration) {
				c.Annotations = map[string]string{
					"cert-manager.io/inject-ca-from": "a/b"}
			}, noConfiguration},
	} {
		a.writes(t, test.name, nil, live, typed(test.edit), []way{byUpdate, byJSONPatch, byMergePatch}, test.want)
	}
	a.writes(t, "with another CA bundle", nil, live,
		typed(func(c *configuration) { c.Webhooks[0].ClientConfig.CABundle = certificate.CA }), []way{
			byStrategicPatch}, "")
	a.writes(t, "another configuration", fresh, foreign,
		typed(func(c *configuration) { c.Webhooks[0].ClientConfig.CABundle = certificate.CA }),
		everyWay, noConfiguration)
	a.removes(t, "its own configuration", live, noConfiguration)
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "new"}}
	a.writes(t, "a validating one", validating, nil, func(client.Object) {}, creating, noConfiguration)
}

// The holder of the token can write Events, Leases and the status of policies only in the form in which the server
// writes them.
func TestOwnObjects(t *testing.T) {
	a := holder(t)
	const noEvent = "sysctl-injector writes only its own Events, which tell of a rejected pod"
	event := func(name string) *eventsv1.Event {
		return &eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, EventTime: metav1.NowMicro(),
			ReportingController: "sysctl-injector", ReportingInstance: "sysctl-injector-0",
			Type: corev1.EventTypeWarning, Reason: "SysctlRefused", Action: "NodeLevel",
			Regarding: corev1.ObjectReference{Kind: "Deployment", APIVersion: "apps/v1", Namespace: "default",
				Name: "web"}, Note: "rejected",
		}
	}
	foreign := event("foreign")
	foreign.ReportingController = "kubelet"
	exist(t, event("live"), foreign)
	series := func(o client.Object) {
		o.(*eventsv1.Event).Series = &eventsv1.EventSeries{Count: 2, LastObservedTime: metav1.NowMicro()}
	}
	a.writes(t, "an Event", event("new"), event("live"), series, []way{byCreate, byUpdate, byJSONPatch, byMergePatch,
		byStrategicPatch}, "")
	a.writes(t, "an Event of another controller", event("new"), event("live"),
		typed(func(e *eventsv1.Event) { e.ReportingController = "kubelet" }), creating, noEvent)
	a.writes(t, "an Event of another reason", event("new"), event("live"),
		typed(func(e *eventsv1.Event) { e.Reason = "Killing" }), creating, noEvent)
	a.writes(t, "another's Event", nil, foreign, series, changing, noEvent)
	a.removes(t, "an Event", event("live"), noEvent)

	setAside(t, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace,
		Name: installation.Name}})
	const noLease = "sysctl-injector writes only its Lease sysctl-injector"
	lease := func(name string) *coordinationv1.Lease {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace, Name: name},
			Spec: coordinationv1.LeaseSpec{HolderIdentity: new("a")}}
	}
	other := lease("other")
	exist(t, other)
	rename := typed(func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = new("b") })
	a.writes(t, "its Lease", lease(installation.Name), nil, rename, creating, "")
	a.writes(t, "another Lease", lease("new"), other, rename, everyWay, noLease)
	a.removes(t, "another Lease", other, noLease)

	const noStatus = "sysctl-injector writes only the condition Ready"
	policy := &v1alpha1.SysctlPolicy{ObjectMeta: metav1.ObjectMeta{Name: "own-objects"},
		Spec: v1alpha1.SysctlPolicySpec{Allow: []v1alpha1.AllowRule{{Names: []string{"net.none"}}}}}
	exist(t, policy)
	for _, test := range []struct{ kind, reason, want string }{
		{"Ready", v1alpha1.ReasonRead, ""}, {"Ready", v1alpha1.ReasonInvalid, ""}, {"Ready", "Approved", noStatus},
		{"Approved", v1alpha1.ReasonRead, noStatus},
	} {
		changed := policy.DeepCopy()
		changed.Status.Conditions = []metav1.Condition{{Type: test.kind, Status: metav1.ConditionTrue,
			Reason: test.reason, LastTransitionTime: metav1.Now()}}
		a.is(t, "the condition "+test.kind+" because of "+test.reason+", by update", test.want,
			func(ctx context.Context) error {
				return a.client.Status().Update(ctx, changed.DeepCopy(),
					&client.SubResourceUpdateOptions{
						UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}}})
			})
		a.is(t, "the condition "+test.kind+" because of "+test.reason+", by merge patch", test.want,
			func(ctx context.Context) error {
				return a.client.Status().Patch(ctx, changed.DeepCopy(), client.MergeFrom(policy),
					&client.SubResourcePatchOptions{
						PatchOptions: client.PatchOptions{DryRun: []string{metav1.DryRunAll}}})
			})
	}
}

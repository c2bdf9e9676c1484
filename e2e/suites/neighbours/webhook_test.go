package neighbours_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// neighbour is a mutating webhook of another project.
type neighbour struct {
	name string
	// change is what it does to a pod. It must be idempotent.
	change func(*corev1.Pod)
	// spares tells that it leaves the injected container alone when it is called again.
	spares bool
	// sparesVerify tells the same of the container of mode: verify.
	sparesVerify bool
	// removesContainer tells that it removes our container, so that ours adds it once more. AlwaysPullImages does not run again after that,
	// and rejects the pull policy IfNotPresent.
	removesContainer bool
	// removesNative tells that it removes native sysctls each time it is called.
	removesNative bool
	// setsResources tells that it sets resources, which our container keeps.
	setsResources bool
	// alone tells that what it adds to init containers is not allowed in those of a pod.
	alone bool
	// rejection is what the message says where the neighbour has the last word; nil: the likely cause, and the remedy.
	rejection []string
	// asIf changes the pod that is created without the neighbour, for what it does to the pod as a whole.
	asIf func(*corev1.Pod)
	// notice changes a pod so that the neighbour takes notice of it.
	notice func(*corev1.Pod)
}

// position is where a neighbour's configuration stands beside ours: the API server sorts mutating webhook configurations by name
// (k8s.io/apiserver pkg/admission/configuration/mutating_webhook_manager.go).
type position string

const (
	before position = "a-before"
	after  position = "t-after"
)

// order is when the API server calls a neighbour.
type order struct {
	position position
	again    admissionregistrationv1.ReinvocationPolicyType
}

var orders = []order{
	{before, admissionregistrationv1.NeverReinvocationPolicy},
	{before, admissionregistrationv1.IfNeededReinvocationPolicy},
	{after, admissionregistrationv1.NeverReinvocationPolicy},
	last,
}

// last is the order in which a neighbour is called after us, and again after us: it has the last word.
var last = order{after, admissionregistrationv1.IfNeededReinvocationPolicy}

// String implements fmt.Stringer. It is the name of a pod, too.
func (o order) String() string {
	return strings.TrimSuffix(string(o.position)+"-"+strings.ToLower(string(o.again)), "-")
}

// orderLabel has a pod changed by the neighbour in one order only.
const orderLabel = "example.com/order"

// install serves the neighbour for the pods of a namespace with the order's label, and returns once the API server calls it.
func (n neighbour) install(t *testing.T, namespace string, o order) {
	t.Helper()
	var calls atomic.Int64
	target, stop, err := clustertest.Serve(t.Context(), suite.Cluster(t), namespace, o.String(), "/",
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			n.answer(w, r)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	name := o.String() + "-" + namespace
	configurations := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	_, err = configurations.Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    "neighbour.example.com",
			ClientConfig:            target,
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			ReinvocationPolicy:      &o.again,
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			ObjectSelector:          &metav1.LabelSelector{MatchLabels: map[string]string{orderLabel: o.String()}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = configurations.Delete(context.Background(), name, metav1.DeleteOptions{}) })
	eventually(t, "the API server to call the neighbour", func(ctx context.Context) (bool, error) {
		// What becomes of the pod does not matter yet.
		_, _ = client.CoreV1().Pods(namespace).Create(ctx, n.pod(o), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return calls.Load() > 0, nil
	})
}

// answer patches as controller-runtime does (pkg/webhook/admission, PatchResponseFromRaw): it decodes the pod into a type, encodes
// that, and sends the difference.
func (n neighbour) answer(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	patch, err := n.patch(review.Request.Object.Raw)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if patch != nil {
		response.Patch, response.PatchType = patch, ptr.To(admissionv1.PatchTypeJSONPatch)
	}
	review.Request, review.Response = nil, response
	_ = json.NewEncoder(w).Encode(review)
}

func (n neighbour) patch(raw []byte) ([]byte, error) {
	var pod corev1.Pod
	if err := json.Unmarshal(raw, &pod); err != nil {
		return nil, err
	}
	n.change(&pod)
	changed, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.CreatePatch(raw, changed)
	if err != nil || len(operations) == 0 {
		return nil, err
	}
	return json.Marshal(operations)
}

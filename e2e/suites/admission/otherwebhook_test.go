package admission_test

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// The API server calls mutating webhooks in the order of their configurations' names: these stand before and after ours.
const (
	before = "a-webhook-before"
	after  = "z-webhook-after"
)

// operation is one of a JSON Patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// otherWebhook is a mutating webhook of somebody else, which this process serves, for the pods of one namespace.
type otherWebhook struct {
	position string // before or after
	// change says what is done to a pod.
	change func(*corev1.Pod) []operation
}

// install returns once the API server calls the webhook.
func (o otherWebhook) install(t *testing.T, namespace string) {
	t.Helper()
	var calls atomic.Int64
	name := o.position + "-" + namespace
	target, stop, err := clustertest.Serve(t.Context(), suite.Cluster(t), namespace, "other", "/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		o.answer(w, r)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	configurations := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	_, err = configurations.Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    "other.example.com",
			ClientConfig:            target,
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
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
	eventually(t, "the API server to call the other webhook", func(ctx context.Context) (bool, error) {
		// What becomes of the pod does not matter yet.
		_, _ = client.CoreV1().Pods(namespace).Create(ctx, newPod("probe", ""), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return calls.Load() > 0, nil
	})
}

func (o otherWebhook) answer(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	var pod corev1.Pod
	err := json.NewDecoder(r.Body).Decode(&review)
	if err == nil {
		err = json.Unmarshal(review.Request.Object.Raw, &pod)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if change := o.change(&pod); len(change) > 0 {
		response.PatchType = ptr.To(admissionv1.PatchTypeJSONPatch)
		if response.Patch, err = json.Marshal(change); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	review.Request, review.Response = nil, response
	_ = json.NewEncoder(w).Encode(review)
}

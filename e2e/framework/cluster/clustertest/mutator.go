package clustertest

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// Mutator is a mutating webhook of another project, which this process serves for the pods of one namespace.
type Mutator struct {
	// Name is that of the configuration. The API server calls mutating webhooks in the order of their configurations'
	// names (k8s.io/apiserver pkg/admission/configuration/mutating_webhook_manager.go).
	Name string
	// Service is that of the service, which is in the namespace.
	Service, Namespace string
	Selector           *metav1.LabelSelector // of pods; nil: all
	Reinvocation       *admissionregistrationv1.ReinvocationPolicyType
	// Patch returns the JSON Patch of a pod in JSON; nil if nothing is changed.
	Patch func(pod []byte) ([]byte, error)
}

// Install returns when the API server calls the webhook for a pod such as probe. The webhook ends with the test.
func (m Mutator) Install(t testing.TB, c *cluster.Cluster, client kubernetes.Interface, probe *corev1.Pod) {
	t.Helper()
	var calls atomic.Int64
	target, stop, err := Serve(t.Context(), c, m.Namespace, m.Service, "/",
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			m.answer(w, r)
		}))
	Must(t, err)
	t.Cleanup(stop)
	configurations := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	_, err = configurations.Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: m.Name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    "other.example.com",
			ClientConfig:            target,
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			ReinvocationPolicy:      m.Reinvocation,
			NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: m.Namespace}},
			ObjectSelector: m.Selector,
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"},
					Resources: []string{"pods"}},
			}},
		}},
	}, metav1.CreateOptions{})
	Must(t, err)
	t.Cleanup(func() { _ = configurations.Delete(context.Background(), m.Name, metav1.DeleteOptions{}) })
	err = await.Condition(t.Context(), "the API server to call the webhook "+m.Name, 20*time.Millisecond,
		30*time.Second, func(ctx context.Context) (bool, error) {
			// Whether the pod is admitted does not matter here.
			_, _ = client.CoreV1().Pods(m.Namespace).
				Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return calls.Load() > 0, nil
		})
	Must(t, err)
}

func (m Mutator) answer(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	patch, err := m.Patch(review.Request.Object.Raw)
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

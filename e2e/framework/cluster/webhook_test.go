package cluster_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

func TestTheAPIServerCallsAWebhookInThisProcess(t *testing.T) {
	t.Run("in a network namespace", func(t *testing.T) { checkWebhook(t, suite.Cluster(t)) })
	t.Run("on the loopback", func(t *testing.T) {
		checkWebhook(t, clustertest.Start(t, cluster.Config{Loopback: true}))
	})
}

func checkWebhook(t *testing.T, c *cluster.Cluster) {
	client := clientset(t, c)
	namespace := clustertest.Namespace(t, client, metav1.ObjectMeta{})
	const rejection = "rejected by the test's webhook"
	target, stop, err := clustertest.Serve(t.Context(), c, namespace, "rejectr", "/reject", reject(rejection))
	must(t, err)
	t.Cleanup(stop)
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "rejectr.example.com",
			ClientConfig:            target,
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"},
					Resources: []string{"secrets"}},
			}},
		}},
	}
	webhooks := client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err = webhooks.Create(t.Context(), configuration, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() { _ = webhooks.Delete(context.Background(), namespace, metav1.DeleteOptions{}) })
	// The API server learns of the configuration a moment later.
	eventually(t, "the webhook's rejection", func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Secrets(namespace).Create(ctx,
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{GenerateName: "any-"}}, metav1.CreateOptions{})
		if err != nil && !strings.Contains(err.Error(), rejection) {
			return false, err
		}
		return err != nil, nil
	})
}

// reject rejects everything.
func reject(message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID,
			Result: &metav1.Status{Message: message}}
		_ = json.NewEncoder(w).Encode(review)
	}
}

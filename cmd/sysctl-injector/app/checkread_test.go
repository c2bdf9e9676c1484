package app

import (
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func TestIssued(t *testing.T) {
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	issuing := certmanagerv1.CertificateCondition{Type: "Issuing", Status: "True", Reason: "DoesNotExist"}
	for _, test := range []struct {
		name       string
		conditions []certmanagerv1.CertificateCondition
		want       string
	}{
		{"without a condition", nil, "cert-manager has not processed it yet"},
		{"with another condition", []certmanagerv1.CertificateCondition{issuing},
			"cert-manager has not processed it yet"},
		{"not Ready", []certmanagerv1.CertificateCondition{issuing, {Type: "Ready", Status: "False",
			Reason: "DoesNotExist", Message: "no Secret"}}, "DoesNotExist: no Secret"},
		{"Ready", []certmanagerv1.CertificateCondition{issuing, {Type: "Ready", Status: "True"}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			certificate := &certmanagerv1.Certificate{
				ObjectMeta: metav1.ObjectMeta{Namespace: "tuning", Name: "sysctl-injector"},
				Status:     certmanagerv1.CertificateStatus{Conditions: test.conditions},
			}
			cluster := fake.NewClientBuilder().WithScheme(scheme).WithObjects(certificate).Build()
			reader := &checkReader{cluster: cluster}
			if got, err := reader.issued(t.Context(), "tuning"); got != test.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
			if got, err := reader.issued(t.Context(), "other"); got != "it does not exist" || err != nil {
				t.Errorf("got %q, %v for a Certificate that does not exist", got, err)
			}
		})
	}
}

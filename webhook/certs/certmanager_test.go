package certs

import (
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certmanagermetav1 "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

func TestDescribesACertificate(t *testing.T) {
	at := newClock()
	is := func(kind certmanagerv1.CertificateConditionType, status certmanagermetav1.ConditionStatus, reason,
		message string) certmanagerv1.CertificateCondition {
		return certmanagerv1.CertificateCondition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	failed := metav1.NewTime(at.now())
	expires, renews := metav1.NewTime(at.Add(48*time.Hour)), metav1.NewTime(at.Add(24*time.Hour))
	tests := []struct {
		name   string
		status certmanagerv1.CertificateStatus
		want   string
		ok     bool
	}{
		{"one that nobody has looked at", certmanagerv1.CertificateStatus{},
			"has no condition Ready: does cert-manager run?", false},
		{"one that is being issued", certmanagerv1.CertificateStatus{Conditions: []certmanagerv1.CertificateCondition{
			is("Issuing", "True", "DoesNotExist", "Issuing certificate as Secret does not exist"),
			is("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist"),
		}}, "is not Ready: DoesNotExist: Issuing certificate as Secret does not exist", false},
		{"one whose issuer rejects", certmanagerv1.CertificateStatus{Conditions: []certmanagerv1.CertificateCondition{
			is("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist"),
			is("Issuing", "False", "Failed", "The certificate request has failed to complete and will be retried: no "+
				"such issuer"),
		}, LastFailureTime: &failed}, "is not Ready: DoesNotExist: Issuing certificate as Secret does not exist; " +
			"last attempt: Failed: " +
			"The certificate request has failed to complete and will be retried: no such issuer", false},
		{"one that is Ready", certmanagerv1.CertificateStatus{
			Conditions: []certmanagerv1.CertificateCondition{is("Ready", "True", "Ready",
				"Certificate is up to date and has not expired")},
			NotAfter: &expires, RenewalTime: &renews,
		}, "is Ready, expires at 2026-03-03T12:00:00Z, renews at 2026-03-02T12:00:00Z", true},
		{"one that has been issued, of which cert-manager says so twice",
			certmanagerv1.CertificateStatus{Conditions: []certmanagerv1.CertificateCondition{
				is("Ready", "True", "Ready", "Certificate is up to date and has not expired"),
				is("Issuing", "False", "Issued", "The certificate has been successfully issued"),
			}}, "is Ready", true},
		{"one whose renewal fails", certmanagerv1.CertificateStatus{Conditions: []certmanagerv1.CertificateCondition{
			is("Ready", "True", "Ready", "Certificate is up to date and has not expired"),
			is("Issuing", "False", "Denied", "The certificate request has failed to complete and will be retried: no"),
		}, LastFailureTime: &failed}, "is Ready; last attempt: Denied: The certificate request has failed to " +
			"complete and will be retried: no", false},
		{"one that has expired", certmanagerv1.CertificateStatus{
			Conditions: []certmanagerv1.CertificateCondition{is("Ready", "False", "Expired", "Certificate expired")},
			NotAfter:   &expires,
		}, "is not Ready: Expired: Certificate expired, expires at 2026-03-03T12:00:00Z", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			log := &logbook{}
			certificate, err := NewCertificate(&rest.Config{}, "system", "serving", log.logger())
			if err != nil {
				t.Fatal(err)
			}
			const prefix = "cert-manager Certificate system/serving "
			if got, ok := certificate.State(); got != prefix+"has not been read yet" || ok {
				t.Errorf("before it was read: %q, %v", got, ok)
			}
			object := &certmanagerv1.Certificate{Status: test.status}
			if got, ok := describe(object); got != test.want || ok != test.ok {
				t.Errorf("says %q, %v; want %q, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestTellsTheCertificateInMetrics(t *testing.T) {
	certificate, err := NewCertificate(&rest.Config{}, "system", "serving", (&logbook{}).logger())
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	certificate.Register(registry)
	const help = "# HELP sysctl_injector_certmanager_certificate_ready 1 when the cert-manager Certificate is Ready, " +
		"0 when it is not or cannot be read.\n" +
		"# TYPE sysctl_injector_certmanager_certificate_ready gauge\n"
	if err := testutil.GatherAndCompare(registry,
		strings.NewReader(help+"sysctl_injector_certmanager_certificate_ready 0\n")); err != nil {
		t.Errorf("of a Certificate that is not known: %v", err)
	}
	renews := metav1.NewTime(newClock().now())
	err = certificate.object.informer.GetStore().Add(&certmanagerv1.Certificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: "system", Name: "serving"},
		Status:     certmanagerv1.CertificateStatus{RenewalTime: &renews},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := certificate.renewal(); !ok || int64(got) != renews.Unix() {
		t.Errorf("renews at %v, %v", got, ok)
	}
}

func TestTellsWhenTheServedCertificateExpires(t *testing.T) {
	at, s := newClock(), newServing((&logbook{}).logger())
	s.now = at.now
	registry := prometheus.NewPedanticRegistry()
	RegisterExpiry(registry, s.GetCertificate)
	if families, err := registry.Gather(); len(families) > 0 || err != nil {
		t.Errorf("without a certificate there is %v, %v", families, err)
	}
	s.serve(newPair(t, "good", at.now(), at.Add(time.Hour)).parse(t))
	want := "# HELP sysctl_injector_certificate_expiry_timestamp_seconds When the served certificate expires, in " +
		"Unix time; absent while there is none.\n" +
		"# TYPE sysctl_injector_certificate_expiry_timestamp_seconds " +
		"gauge\nsysctl_injector_certificate_expiry_timestamp_seconds 1.77237e+09\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

package certs_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certmanagermetav1 "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// The server watches its Certificate even before cert-manager is installed, and is ready all the time because it serves
// a valid certificate.
func TestReportsTheStateOfItsCertManagerCertificate(t *testing.T) {
	suite.Cluster(t)
	server := startServer(t, "--certificate="+installation.Name)
	const name = "cert-manager Certificate sysctl-injector-system/sysctl-injector "
	var said []string // in the log, each state once
	tells := func(line string, metrics ...string) {
		t.Helper()
		said = append(said, strings.TrimLeft(line, "[!+]"))
		eventually(t, line, func() string { return "it answers:\n" + observe(t, server, "/readyz?verbose") },
			func(context.Context) (bool, error) {
				return strings.Contains(observe(t, server, "/readyz?verbose"), line+"\n"), nil
			})
		must(t, server.Ready(t.Context()))
		eventually(t, "the log", func() string { return cmp.Diff(said, states(t, server.Log())) },
			func(context.Context) (bool, error) {
				return cmp.Equal(said, states(t, server.Log())), nil
			})
		var got []string
		for _, line := range lines(observe(t, server, "/metrics"), "sysctl_injector_certmanager_") {
			if !strings.HasPrefix(line, "#") {
				got = append(got, line)
			}
		}
		if diff := cmp.Diff(metrics, got); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	}
	const notReady, ready = "sysctl_injector_certmanager_certificate_ready 0",
		"sysctl_injector_certmanager_certificate_ready 1"

	tells(`[!]`+name+`cannot be watched: certificates.cert-manager.io "sysctl-injector" is `+
		`forbidden: User "`+installation.User+
		`" cannot list resource "certificates" in API group "cert-manager.io" in the namespace `+
		`"sysctl-injector-system"`, notReady)
	kubectl(t, certManagerRBAC, "apply", "-f", "-")
	tells("[!]"+name+"cannot be watched: the server could not find the requested resource (get "+
		"certificates.cert-manager.io)", notReady)
	kubectl(t, definition(t), "apply", "--server-side", "-f", "-")
	tells("[!]"+name+"does not exist", notReady)

	certificate := &certmanagerv1.Certificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: installation.Namespace, Name: installation.Name},
		Spec: certmanagerv1.CertificateSpec{SecretName: "sysctl-injector-tls", DNSNames: []string{"example.svc"},
			IssuerRef: certmanagermetav1.IssuerReference{Name: "any"}},
	}
	must(t, admin.Create(t.Context(), certificate))
	tells("[!]"+name+"has no condition Ready: does cert-manager run?", notReady)

	expires := metav1.NewTime(time.Date(2032, 1, 2, 3, 4, 5, 0, time.UTC))
	renews := metav1.NewTime(expires.Add(-24 * time.Hour))
	status := func(ready certmanagermetav1.ConditionStatus, reason, message string) {
		t.Helper()
		now := metav1.Now()
		certificate.Status.Conditions = []certmanagerv1.CertificateCondition{
			{Type: certmanagerv1.CertificateConditionReady, Status: ready, Reason: reason, Message: message,
				LastTransitionTime: &now},
		}
		must(t, admin.Status().Update(t.Context(), certificate))
	}
	status(certmanagermetav1.ConditionFalse, "DoesNotExist", "Issuing certificate as Secret does not exist")
	tells("[!]"+name+"is not Ready: DoesNotExist: Issuing certificate as Secret does not exist", notReady)
	certificate.Status.NotAfter, certificate.Status.RenewalTime = &expires, &renews
	status(certmanagermetav1.ConditionTrue, "Ready", "Certificate is up to date and has not expired")
	tells("[+]"+name+"is Ready, expires at 2032-01-02T03:04:05Z, renews at 2032-01-01T03:04:05Z",
		ready, "sysctl_injector_certmanager_certificate_renewal_timestamp_seconds "+
			strconv.FormatFloat(float64(renews.Unix()), 'g', -1, 64))
	must(t, admin.Delete(t.Context(), certificate))
	tells("[!]"+name+"does not exist", notReady)
}

// states returns the states of a Certificate that a server has logged.
func states(t *testing.T, log string) (all []string) {
	t.Helper()
	for _, line := range lines(log, "State of the cert-manager Certificate") {
		var said struct{ State string }
		must(t, json.Unmarshal([]byte(line), &said))
		all = append(all, said.State)
	}
	return all
}

// definition is the CustomResourceDefinition of Certificate, as cert-manager ships it.
func definition(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager").Output()
	must(t, err)
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "deploy", "crds",
		"cert-manager.io_certificates.yaml"))
	must(t, err)
	return string(content)
}

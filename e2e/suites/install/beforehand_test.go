package install_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// The chart can be installed before cert-manager. The servers become ready when cert-manager runs.
func TestInstallBeforeCertManager(t *testing.T) {
	uninstalled(t)
	defer keepLogs(t)
	must(t, certManager.stop())
	// They may be left from an earlier installation.
	for _, name := range []string{program + "-tls", program + "-ca"} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: name}}
		must(t, client.IgnoreNotFound(objects.Delete(t.Context(), secret)))
	}
	install(t, system, former)
	// Until then a server runs, is not ready, and says why.
	eventually(t, "a server to say what it waits for", func(context.Context) error {
		output, err := command(t, "kubectl", "logs", "-n", system, "deployment/"+program)
		if err == nil && !strings.Contains(output, "does cert-manager run?") {
			err = errors.New(output)
		}
		return err
	})
	for _, pod := range servers(t, system) {
		if clustertest.PodReady(&pod) {
			t.Errorf("server %s is ready without a certificate", pod.Name)
		}
	}
	certManager.start(t)
	serving(t, system, former)
	certificate := &cmapi.Certificate{}
	get(t, client.ObjectKey{Namespace: system, Name: program}, certificate)
	if !slices.ContainsFunc(certificate.Status.Conditions, func(c cmapi.CertificateCondition) bool {
		return c.Type == cmapi.CertificateConditionReady && c.Status == cmmeta.ConditionTrue
	}) {
		t.Errorf("the Certificate's conditions are %v, want it to be Ready", certificate.Status.Conditions)
	}
	webhook := &admissionregistrationv1.MutatingWebhookConfiguration{}
	get(t, client.ObjectKey{Name: program}, webhook)
	for _, entry := range webhook.Webhooks {
		if len(entry.ClientConfig.CABundle) == 0 {
			t.Errorf("entry %s of the webhook configuration has no caBundle", entry.Name)
		}
	}
	wantValue(t, "healed")
}

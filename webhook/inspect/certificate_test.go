package inspect

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

var issued = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: issued,
		NotAfter: issued.AddDate(10, 0, 0),
		IsCA:     true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{certificate, key}
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// issue returns a certificate for 90 days.
func (a authority) issue(t *testing.T, dnsName string) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: issued, NotAfter: issued.AddDate(0, 0, 90), DNSNames: []string{dnsName},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &newKey(t).PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestJudgeCertificate(t *testing.T) {
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	const (
		name    = "sysctl-injector.tuning.svc"
		of      = "the serving certificate in Secret tuning/tls "
		effect  = ", so the API server cannot reach a server"
		trusted = `Passed CABundle: the caBundle of MutatingWebhookConfiguration "sysctl-injector" verifies the ` +
			`serving certificate`
		bundle = `Failed CABundle: the API server does not trust the server: the caBundle of ` +
			`MutatingWebhookConfiguration "sysctl-injector" does not verify the serving certificate (`
		valid = "Passed Certificate: the serving certificate is valid for " + name + " until 2026-04-01T00:00:00Z"
	)
	const renew = "kubectl -n tuning delete secret tls --ignore-not-found"
	for _, test := range []struct {
		name    string
		tweak   func(*Certificate, *Webhook)
		want    []string
		command string // of the first that has not passed
	}{
		{"valid", func(*Certificate, *Webhook) {}, []string{valid, trusted}, ""},
		{"soon expired", func(c *Certificate, _ *Webhook) { c.Now = issued.AddDate(0, 0, 80) },
			[]string{"Warning Certificate: " + of + "expires at 2026-04-01T00:00:00Z and has not been renewed",
				trusted}, renew},
		{"expired", func(c *Certificate, _ *Webhook) { c.Now = issued.AddDate(0, 0, 91) },
			[]string{"Failed Certificate: " + of + "expired at 2026-04-01T00:00:00Z" + effect, trusted}, renew},
		{"not valid yet", func(c *Certificate, _ *Webhook) { c.Now = issued.AddDate(0, 0, -1) },
			[]string{"Failed Certificate: " + of + "is not valid before 2026-01-01T00:00:00Z" + effect,
				trusted}, renew},
		{"for another name", func(c *Certificate, _ *Webhook) {
			c.Chain = ca.issue(t, "sysctl-injector.elsewhere.svc")
		},
			[]string{"Failed Certificate: " + of + "is not for the name " + name + effect, trusted}, renew},
		{"absent", func(c *Certificate, _ *Webhook) { c.Found, c.Chain = false, nil },
			[]string{"Failed Certificate: " + of + "does not exist" + effect}, renew},
		{"no certificate", func(c *Certificate, _ *Webhook) { c.Chain = []byte("key") },
			[]string{"Failed Certificate: " + of + "cannot be read (it contains no PEM certificate)" + effect}, renew},
		{"an empty caBundle", func(_ *Certificate, w *Webhook) { w.Entries[1].ClientConfig.CABundle = nil },
			[]string{valid, bundle + "plain.pods.sysctl-injector.dev: it is empty)"}, "kubectl -n tuning logs " +
				"deployment/sysctl-injector"},
		{"an invalid caBundle", func(_ *Certificate, w *Webhook) { w.Entries[0].ClientConfig.CABundle = []byte("x") },
			[]string{valid, bundle + "pods.sysctl-injector.dev: it contains no certificate)"},
			"kubectl -n tuning logs deployment/sysctl-injector"},
		{"another CA", func(_ *Certificate, w *Webhook) { w.Entries[2].ClientConfig.CABundle = other.pem() },
			[]string{valid, bundle + "defaults.pods.sysctl-injector.dev: x509: certificate signed by unknown " +
				"authority)"}, "kubectl -n tuning logs deployment/sysctl-injector"},
		{"cert-manager's injector does nothing", func(c *Certificate, w *Webhook) {
			c.Source, w.Entries[1].ClientConfig.CABundle = CertManager, nil
		},
			[]string{valid, "Passed CertManagerCertificate: cert-manager's Certificate is Ready", bundle +
				"plain.pods.sysctl-injector.dev: it is empty)"},
			"kubectl annotate --overwrite mutatingwebhookconfiguration sysctl-injector " +
				"cert-manager.io/inject-ca-from=tuning/sysctl-injector"},
		{"cert-manager's Certificate is not Ready", func(c *Certificate, _ *Webhook) {
			c.Source, c.NotReady = CertManager, "DoesNotExist: no Secret"
		},
			[]string{valid, "Failed CertManagerCertificate: cert-manager's Certificate is not Ready, so the serving " +
				"certificate is not renewed: DoesNotExist: no Secret", trusted},
			"kubectl -n tuning describe certificate sysctl-injector"},
		{"an existing Secret", func(c *Certificate, w *Webhook) {
			c.Source, c.CA, w.Entries[1].ClientConfig.CABundle = ExistingSecret, []byte("Y0E="), nil
		}, []string{valid, bundle + "plain.pods.sysctl-injector.dev: it is empty)"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := shippedWebhooks(t)
			w.Warnings = nil
			for i := range w.Mutating.Entries {
				w.Mutating.Entries[i].ClientConfig.CABundle = ca.pem()
			}
			c := Certificate{Namespace: "tuning", Secret: "tls", Source: SelfManaged, Chain: ca.issue(t, name),
				Found: true, Now: issued.AddDate(0, 0, 30)}
			test.tweak(&c, w.Mutating)
			got := append(c.Judge(), c.JudgeCABundles(w)...)
			// Go's message about an unknown authority ends with a guess.
			for i := range got {
				if before, after, found := strings.Cut(got[i].Message, " (possibly because of "); found {
					got[i].Message = before + after[strings.LastIndex(after, ")"):]
				}
			}
			wantAnswers(t, got, test.want...)
			command := ""
			for _, check := range got {
				if check.Status != Passed {
					command = check.Command
					break
				}
			}
			if command != test.command {
				t.Errorf("the command is %q, want %q", command, test.command)
			}
		})
	}
}

// The CA in the Secret is written into each entry that lacks it.
func TestTrustOfAnAdministratorsCA(t *testing.T) {
	ca := newAuthority(t, "ca")
	w := shippedWebhooks(t)
	w.Warnings = nil
	c := Certificate{Namespace: "tuning", Secret: "tls", Source: ExistingSecret, Chain: ca.issue(t,
		"sysctl-injector.tuning.svc"), CA: ca.pem(), Found: true, Now: issued}
	got := c.JudgeCABundles(w)
	if len(got) != 1 || strings.Count(got[0].Command, `"op":"add","path":"/webhooks/`) != 3 {
		t.Errorf("got %v", got)
	}
}

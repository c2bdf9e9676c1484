package inspect

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Certificate is the serving certificate of an installation.
type Certificate struct {
	Namespace, Secret string
	// Source is CertManager, SelfManaged or ExistingSecret.
	Source string
	// Chain and CA are the Secret's tls.crt and ca.crt, in PEM. The CA may be absent. Found is set if the Secret
	// exists.
	Chain, CA []byte
	Found     bool
	// NotReady is the reason why cert-manager's Certificate is not Ready, or "" if it is Ready or does not exist.
	NotReady string
	// Now is the time at which the certificate must be valid.
	Now time.Time
}

// renewalDue is the divisor of a certificate's validity: with less than a fifth left, it is overdue for renewal.
// cert-manager and the servers renew when a third is left.
const renewalDue = 5

// DNSName is the DNS name that the API server verifies.
func (c Certificate) DNSName() string { return "sysctl-injector." + c.Namespace + ".svc" }

// Judge judges the certificate itself.
func (c Certificate) Judge() []Check {
	checks := []Check{c.judge()}
	if c.Source == CertManager {
		issued := QuestionIssued.Pass("cert-manager's Certificate is Ready")
		if c.NotReady != "" {
			issued = QuestionIssued.Fail("certificate/sysctl-injector",
				"cert-manager's Certificate is not Ready, so the serving certificate is not renewed: %s", c.NotReady).
				fix("see why:", fmt.Sprintf("kubectl -n %s describe certificate sysctl-injector", c.Namespace))
		}
		checks = append(checks, issued)
	}
	return checks
}

func (c Certificate) judge() Check {
	object := "secret/" + c.Secret
	fail := func(format string, args ...any) Check {
		remedy, command := c.renewal()
		return QuestionCertificate.Fail(object,
			"the serving certificate in Secret %s/%s %s, so the API server cannot reach a server",
			c.Namespace, c.Secret, fmt.Sprintf(format, args...)).
			fix(remedy, command)
	}
	if !c.Found {
		return fail("does not exist")
	}
	leaf, _, err := parseChain(c.Chain)
	if err != nil {
		return fail("cannot be read (%v)", err)
	}
	until := leaf.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case c.Now.After(leaf.NotAfter):
		return fail("expired at %s", until)
	case c.Now.Before(leaf.NotBefore):
		return fail("is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	case leaf.VerifyHostname(c.DNSName()) != nil:
		return fail("is not for the name %s", c.DNSName())
	case leaf.NotAfter.Sub(c.Now) < leaf.NotAfter.Sub(leaf.NotBefore)/renewalDue:
		remedy, command := c.renewal()
		return QuestionCertificate.Warn(object,
			"the serving certificate in Secret %s/%s expires at %s and has not been renewed",
			c.Namespace, c.Secret, until).
			fix(remedy, command)
	}
	return QuestionCertificate.Pass("the serving certificate is valid for %s until %s", c.DNSName(), until)
}

// renewal returns the remedy and the command that renew the certificate.
func (c Certificate) renewal() (remedy, command string) {
	if c.Source == ExistingSecret {
		return "put a new certificate into the Secret; the servers reload it automatically:", fmt.Sprintf(
			"kubectl -n %s create secret generic %s --type=kubernetes.io/tls --from-file=tls.crt "+
				"--from-file=tls.key --from-file=ca.crt --dry-run=client -o yaml | kubectl apply -f -",
			c.Namespace, c.Secret)
	}
	return "have it issued again:", fmt.Sprintf("kubectl -n %s delete secret %s --ignore-not-found", c.Namespace,
		c.Secret)
}

// JudgeCABundles checks whether the API server trusts the certificate. It ignores that a certificate has expired,
// since Judge reports that.
func (c Certificate) JudgeCABundles(w Webhooks) []Check {
	leaf, intermediates, err := parseChain(c.Chain)
	if err != nil {
		return nil // Judge reports it
	}
	var checks []Check
	for _, webhook := range []*Webhook{w.Mutating, w.Warnings} {
		if webhook == nil {
			continue
		}
		var problems []string
		var bad []int
		for i, e := range webhook.Entries {
			if err := c.verify(leaf, intermediates, e.ClientConfig.CABundle); err != nil {
				problems, bad = append(problems, fmt.Sprintf("%s: %v", e.Name, err)), append(bad, i)
			}
		}
		if len(bad) == 0 {
			checks = append(checks, QuestionCABundle.Pass("the caBundle of %s %q verifies the serving certificate",
				webhook.Kind, webhook.Name))
			continue
		}
		remedy, command := c.trust(*webhook, bad)
		checks = append(checks, QuestionCABundle.Fail(webhook.object(),
			"the API server does not trust the server: the caBundle of %s %q does not verify the serving "+
				"certificate (%s)",
			webhook.Kind, webhook.Name, strings.Join(problems, "; ")).
			fix(remedy, command))
	}
	return checks
}

// verify returns why a caBundle does not verify the certificate.
func (c Certificate) verify(leaf *x509.Certificate, intermediates *x509.CertPool, bundle []byte) error {
	roots := x509.NewCertPool()
	switch {
	case len(bundle) == 0:
		return errors.New("it is empty")
	case !roots.AppendCertsFromPEM(bundle):
		return errors.New("it contains no certificate")
	}
	at := c.Now
	if at.After(leaf.NotAfter) || at.Before(leaf.NotBefore) {
		at = leaf.NotAfter
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: at})
	return err
}

// trust returns the remedy and the command that put the CA into the caBundle of some entries.
func (c Certificate) trust(webhook Webhook, entries []int) (remedy, command string) {
	resource := strings.ToLower(webhook.Kind)
	switch c.Source {
	case CertManager:
		return "let cert-manager's CA injector write it; if it does not, see its log:", fmt.Sprintf(
			"kubectl annotate --overwrite %s %s cert-manager.io/inject-ca-from=%s/sysctl-injector",
			resource, webhook.Name, c.Namespace)
	case SelfManaged:
		return "the servers write it; their log shows why they do not:",
			fmt.Sprintf("kubectl -n %s logs deployment/sysctl-injector", c.Namespace)
	}
	leaf, intermediates, err := parseChain(c.Chain)
	if err != nil || c.verify(leaf, intermediates, c.CA) != nil {
		return "give the chart the CA that signed the certificate: " +
			"helm upgrade --set certificates.caBundle=$(base64 -w0 ca.crt)", ""
	}
	encoded := base64.StdEncoding.EncodeToString(bytes.TrimSpace(c.CA))
	var operations []string
	for _, i := range entries {
		operations = append(operations, fmt.Sprintf(
			`{"op":"add","path":"/webhooks/%d/clientConfig/caBundle","value":"%s"}`, i, encoded))
	}
	return "set the caBundle to the Secret's ca.crt, and set certificates.caBundle in your values:",
		fmt.Sprintf("kubectl patch %s %s --type=json -p %s", resource, webhook.Name,
			shellQuote("["+strings.Join(operations, ",")+"]"))
}

// parseChain returns the first certificate, and the certificates that follow it.
func parseChain(content []byte) (leaf *x509.Certificate, intermediates *x509.CertPool, err error) {
	intermediates = x509.NewCertPool()
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, err
		}
		if leaf == nil {
			leaf = certificate
		} else {
			intermediates.AddCert(certificate)
		}
	}
	if leaf == nil {
		return nil, nil, errors.New("it contains no PEM certificate")
	}
	return leaf, intermediates, nil
}

package certs

import (
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// choice is a server whose caBundle the test sets.
type choice struct {
	*SelfManaged
	at *clock
}

func newChoice() choice {
	at := newClock()
	s := &SelfManaged{serving: newServing((&logbook{}).logger()), name: serverName,
		configuration: &object[*admissionregistrationv1.MutatingWebhookConfiguration]{
			what: "MutatingWebhookConfiguration sysctl-injector",
			informer: cache.NewSharedIndexInformer(&cache.ListWatch{},
				&admissionregistrationv1.MutatingWebhookConfiguration{}, 0, nil),
		}}
	s.now = at.now
	return choice{s, at}
}

func (c choice) trusts(t *testing.T, bundle []byte) {
	t.Helper()
	err := c.configuration.informer.GetStore().Update(&admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "sysctl-injector"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{
			{ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: bundle}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (c choice) check(t *testing.T, what string, wanted pair, ready string) {
	t.Helper()
	if got := text(c.Ready()); got != ready {
		t.Errorf("%s: ready says %q, want %q", what, got, ready)
	}
	if served := c.certificate.Load(); wanted.cert == nil != (served == nil) || served != nil &&
		!served.Leaf.Equal(wanted.parse(t).Leaf) {
		t.Errorf("%s: serves another certificate", what)
	}
}

func secretPair(data map[string][]byte) pair { return pair{data["tls.crt"], data["tls.key"]} }

func TestServesWhatTheAPIServerTrusts(t *testing.T) {
	c := newChoice()
	first, second := issued(t, 0), issued(t, 1)
	both := append(append([]byte{}, second["ca.crt"]...), first["ca.crt"]...)

	c.trusts(t, nil)
	c.choose(secretPair(first).parse(t))
	c.check(t, "not trusted", pair{}, "no certificate to serve yet")
	c.trusts(t, first["ca.crt"])
	c.choose(secretPair(first).parse(t))
	c.check(t, "trusted, with nothing served", secretPair(first), "")

	c.choose(secretPair(second).parse(t))
	c.check(t, "the next is not trusted", secretPair(first), "")
	c.trusts(t, both)
	if again := c.choose(secretPair(second).parse(t)); again != settleTime {
		t.Errorf("looks again in %s, want %s", again, settleTime)
	}
	c.check(t, "the next is trusted, by this server's knowledge", secretPair(first), "")
	c.at.pass(settleTime - time.Second)
	if again := c.choose(secretPair(second).parse(t)); again != time.Second {
		t.Errorf("looks again in %s, want 1s", again)
	}
	c.check(t, "a moment before it is sure", secretPair(first), "")
	c.at.pass(time.Second)
	c.choose(secretPair(second).parse(t))
	c.check(t, "the next is trusted", secretPair(second), "")
}

func TestWaitsAnewForEachCertificate(t *testing.T) {
	c := newChoice()
	first, second, third := issued(t, 0), issued(t, 1), issued(t, 2)
	all := append(append(append([]byte{}, third["ca.crt"]...), second["ca.crt"]...), first["ca.crt"]...)
	c.trusts(t, all)
	c.choose(secretPair(first).parse(t))
	c.choose(secretPair(second).parse(t))
	c.at.pass(settleTime)
	c.choose(secretPair(third).parse(t))
	c.check(t, "another came meanwhile", secretPair(first), "")
	// Nor does the time count in which it was not trusted.
	c.trusts(t, first["ca.crt"])
	c.at.pass(settleTime)
	c.choose(secretPair(third).parse(t))
	c.trusts(t, all)
	c.choose(secretPair(third).parse(t))
	c.check(t, "trust went and came", secretPair(first), "")
	c.at.pass(settleTime)
	c.choose(secretPair(third).parse(t))
	c.check(t, "in the end", secretPair(third), "")
}

func TestReplacesAtOnceWhatIsOfNoUse(t *testing.T) {
	t.Run("not trusted any more", func(t *testing.T) {
		c := newChoice()
		first, second := issued(t, 0), issued(t, 1)
		c.trusts(t, first["ca.crt"])
		c.choose(secretPair(first).parse(t))
		c.trusts(t, second["ca.crt"])
		const want = "the API server does not accept the served certificate: the caBundle of " +
			"MutatingWebhookConfiguration sysctl-injector does not verify it: " +
			`x509: certificate signed by unknown authority (possibly because of "crypto/rsa: verification error" ` +
			`while trying to verify candidate authority certificate "sysctl-injector-ca")`
		c.check(t, "trust went", secretPair(first), want)
		c.choose(secretPair(second).parse(t))
		c.check(t, "replaced", secretPair(second), "")
	})
	t.Run("expired", func(t *testing.T) {
		c := newChoice()
		first := issued(t, 0)
		c.trusts(t, first["ca.crt"])
		c.choose(secretPair(first).parse(t))
		c.at.pass(certValidity + time.Second)
		c.check(t, "expired", secretPair(first), "the served certificate expired at 2026-05-30T12:00:00Z")
		cert, key, err := issue(first["ca.crt"], first["ca.key"], serverName, c.at.now())
		if err != nil {
			t.Fatal(err)
		}
		c.choose(pair{cert, key}.parse(t))
		c.check(t, "replaced", pair{cert, key}, "")
	})
}

// A server that nobody calls yet is ready: the webhook configuration may be the last that is installed.
func TestServesWithoutAWebhookConfiguration(t *testing.T) {
	c := newChoice()
	only := issued(t, 0)
	c.choose(secretPair(only).parse(t))
	c.check(t, "without a configuration", secretPair(only), "")
}

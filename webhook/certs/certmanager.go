package certs

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	certmanagermetav1 "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Certificate watches the cert-manager Certificate that issues the server's files, and reports its state. No decision
// depends on it. cert-manager may be installed after the server.
type Certificate struct {
	object *object[*certmanagerv1.Certificate]
	log    *slog.Logger

	mu     sync.Mutex
	logged string
}

// NewCertificate returns a Certificate that Start has yet to watch.
func NewCertificate(config *rest.Config, namespace, name string, log *slog.Logger) (*Certificate, error) {
	// Only this kind, instead of cert-manager's whole scheme.
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(certmanagerv1.SchemeGroupVersion, &certmanagerv1.Certificate{},
		&certmanagerv1.CertificateList{})
	metav1.AddToGroupVersion(scheme, certmanagerv1.SchemeGroupVersion)
	reader, err := newClient(config, scheme, scopedKind{&certmanagerv1.Certificate{}, meta.RESTScopeNamespace})
	if err != nil {
		return nil, err
	}
	c := &Certificate{log: log}
	c.object, err = watchObject(reader, fmt.Sprintf("cert-manager Certificate %s/%s", namespace, name),
		&certmanagerv1.Certificate{}, &certmanagerv1.CertificateList{},
		client.ObjectKey{Namespace: namespace, Name: name}, c.changed)
	return c, err
}

// Start watches the Certificate until ctx ends.
func (c *Certificate) Start(ctx context.Context) error {
	c.object.watch(ctx)
	return nil
}

// State describes the Certificate, and reports whether it is healthy.
func (c *Certificate) State() (text string, ok bool) {
	if err := c.object.unknown(); err != nil {
		return err.Error(), false
	}
	certificate, found := c.object.get()
	if !found {
		return c.object.what + " does not exist", false
	}
	state, ok := describe(certificate)
	return c.object.what + " " + state, ok
}

// describe returns a Certificate's state as a phrase that follows its name, and whether it is healthy.
func describe(certificate *certmanagerv1.Certificate) (state string, ok bool) {
	ready, issuing := condition(certificate, certmanagerv1.CertificateConditionReady),
		condition(certificate, certmanagerv1.CertificateConditionIssuing)
	var text strings.Builder
	switch {
	case isReady(certificate):
		text.WriteString("is Ready")
	case ready.Type == "":
		text.WriteString("has no condition Ready: does cert-manager run?")
	default:
		fmt.Fprintf(&text, "is not Ready: %s: %s", ready.Reason, ready.Message)
	}
	failed := certificate.Status.LastFailureTime != nil // set only if the last attempt failed
	if failed && issuing.Status == certmanagermetav1.ConditionFalse {
		fmt.Fprintf(&text, "; last attempt: %s: %s", issuing.Reason, issuing.Message)
	}
	for _, moment := range []struct {
		what string
		at   *metav1.Time
	}{{"expires", certificate.Status.NotAfter}, {"renews", certificate.Status.RenewalTime}} {
		if moment.at != nil {
			fmt.Fprintf(&text, ", %s at %s", moment.what, moment.at.UTC().Format(time.RFC3339))
		}
	}
	return text.String(), isReady(certificate) && !failed
}

func isReady(certificate *certmanagerv1.Certificate) bool {
	return condition(certificate, certmanagerv1.CertificateConditionReady).Status == certmanagermetav1.ConditionTrue
}

func condition(certificate *certmanagerv1.Certificate,
	kind certmanagerv1.CertificateConditionType) (found certmanagerv1.CertificateCondition) {
	for _, condition := range certificate.Status.Conditions {
		if condition.Type == kind {
			found = condition
		}
	}
	return found
}

// changed logs the state if it differs from the last logged state.
func (c *Certificate) changed() {
	text, ok := c.State()
	c.mu.Lock()
	defer c.mu.Unlock()
	if text == c.logged {
		return
	}
	c.logged = text
	level := slog.LevelInfo
	if !ok {
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "State of the cert-manager Certificate", "state", text)
}

// ready is the value of a metric: 1 if the Certificate is Ready, and 0 otherwise.
func (c *Certificate) ready() (float64, bool) {
	if certificate, found := c.object.get(); found && c.object.unknown() == nil && isReady(certificate) {
		return 1, true
	}
	return 0, true
}

// renewal is the value of a metric: the time at which cert-manager will renew the Certificate.
func (c *Certificate) renewal() (float64, bool) {
	certificate, found := c.object.get()
	if !found || certificate.Status.RenewalTime == nil {
		return 0, false
	}
	return float64(certificate.Status.RenewalTime.Unix()), true
}

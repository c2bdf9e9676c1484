package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Names of the installed objects.
const (
	serviceName = "sysctl-injector"
	secretName  = "sysctl-injector-tls"
)

const (
	// settleTime is how long a CA must be in the caBundle before its certificate replaces one that still verifies:
	// each API server learns of a changed caBundle by a watch of its own.
	settleTime = 10 * time.Second
	// checkInterval is the time between two checks for renewal, and retryInterval the time before a retry.
	checkInterval = time.Hour
	retryInterval = 5 * time.Second
)

// SelfManaged serves a certificate that the servers issue themselves, with their own CA. A Secret holds both, and
// the caBundle of the webhook configuration holds the CA. Every server keeps both up to date and serves from the
// Secret. If several servers write at once, the API server accepts one write, and the others receive it by watch.
//
// A new CA is added to the caBundle beside the former one. A server serves a new certificate only when the caBundle
// verifies it, so that the API server accepts the served certificate at every moment.
//
// It uses cert-controller to make a CA and to check certificates. cert-controller's rotator does not fit: it waits
// for the certificate as a file and exits if none comes; it watches every Secret of the namespace and every webhook
// configuration; it does not create the Secret; and it replaces the caBundle, so that the API server rejects the
// certificates that are still served.
type SelfManaged struct {
	serving
	name          string // the DNS name that the API server verifies
	client        client.Client
	secretKey     client.ObjectKey
	secret        *object[*corev1.Secret]
	configuration *object[*admissionregistrationv1.MutatingWebhookConfiguration]
	warnings      *object[*admissionregistrationv1.ValidatingWebhookConfiguration] // nothing depends on it
	wake          chan struct{}

	// next is the certificate to serve next, and the time since which the caBundle verifies it.
	next  *tls.Certificate
	since time.Time
}

// NewSelfManaged returns a SelfManaged, which writes its CA into the MutatingWebhookConfiguration of the given name.
func NewSelfManaged(config *rest.Config, namespace, configurationName string, log *slog.Logger) (*SelfManaged, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), admissionregistrationv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	both, err := newClient(config, scheme,
		scopedKind{&corev1.Secret{}, meta.RESTScopeNamespace},
		scopedKind{&admissionregistrationv1.MutatingWebhookConfiguration{}, meta.RESTScopeRoot},
		scopedKind{&admissionregistrationv1.ValidatingWebhookConfiguration{}, meta.RESTScopeRoot},
	)
	if err != nil {
		return nil, err
	}
	s := &SelfManaged{
		// For a service, the API server verifies this name and no other.
		serving: newServing(log), name: serviceName + "." + namespace + ".svc",
		client: both, secretKey: client.ObjectKey{Namespace: namespace, Name: secretName}, wake: make(chan struct{}, 1),
	}
	var errs [3]error
	s.secret, errs[0] = watchObject(both, "Secret "+s.secretKey.String(), &corev1.Secret{}, &corev1.SecretList{},
		s.secretKey, s.changed)
	s.configuration, errs[1] = watchObject(both, "MutatingWebhookConfiguration "+configurationName,
		&admissionregistrationv1.MutatingWebhookConfiguration{},
		&admissionregistrationv1.MutatingWebhookConfigurationList{},
		client.ObjectKey{Name: configurationName}, s.changed)
	s.warnings, errs[2] = watchObject(both, "ValidatingWebhookConfiguration "+configurationName,
		&admissionregistrationv1.ValidatingWebhookConfiguration{},
		&admissionregistrationv1.ValidatingWebhookConfigurationList{},
		client.ObjectKey{Name: configurationName}, s.changed)
	return s, errors.Join(errs[:]...)
}

// changed wakes Start up.
func (s *SelfManaged) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Start keeps the certificate up to date until ctx ends.
func (s *SelfManaged) Start(ctx context.Context) error {
	var watches sync.WaitGroup
	defer watches.Wait()
	watches.Go(func() { s.secret.watch(ctx) })
	watches.Go(func() { s.configuration.watch(ctx) })
	watches.Go(func() { s.warnings.watch(ctx) })
	for {
		again, err := s.reconcile(ctx)
		if err != nil {
			again = retryInterval
		}
		if ctx.Err() != nil {
			return nil
		}
		s.note(err)
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-time.After(again):
		}
	}
}

// reconcile does the next step, and returns when to run again.
func (s *SelfManaged) reconcile(ctx context.Context) (again time.Duration, err error) {
	if err := errors.Join(s.secret.unknown(), s.configuration.unknown()); err != nil {
		return 0, err
	}
	secret, _ := s.secret.get()
	data := map[string][]byte{}
	if secret != nil {
		data = secret.Data
	}
	renewed, err := renew(data, s.name, s.now())
	if err != nil {
		return 0, err
	}
	if renewed != nil {
		return checkInterval, s.write(ctx, secret, renewed)
	}
	if err := publish(ctx, s, s.configuration, data[caCertKey]); err != nil {
		return 0, err
	}
	certificate, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return 0, err
	}
	again = s.choose(&certificate)
	if s.warnings.unknown() != nil {
		return again, nil //nolint:nilerr // the server may lack permission to watch this configuration
	}
	return again, publish(ctx, s, s.warnings, data[caCertKey])
}

// write writes the renewed keys into the Secret. A conflict with another server is not an error: the watch delivers
// the other server's write.
func (s *SelfManaged) write(ctx context.Context, secret *corev1.Secret, renewed map[string][]byte) error {
	if secret == nil {
		err := s.client.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.secretKey.Namespace, Name: s.secretKey.Name,
				Labels: map[string]string{
					v1alpha1.ManagedByLabel: v1alpha1.ManagedBy, "app.kubernetes.io/name": "sysctl-injector",
				}},
			Type: corev1.SecretTypeTLS,
			Data: renewed,
		})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create %s: %w", s.secret.what, err)
		}
		return nil
	}
	secret = secret.DeepCopy()
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	maps.Copy(secret.Data, renewed)
	if err := s.client.Update(ctx, secret); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return fmt.Errorf("update %s: %w", s.secret.what, err)
	}
	return nil
}

// choose serves a certificate, or returns when it may replace the served one.
func (s *SelfManaged) choose(certificate *tls.Certificate) (again time.Duration) {
	if s.serves(certificate) || s.unverified(certificate) != nil {
		s.next = nil
		return checkInterval
	}
	now := s.now()
	if !sameChain(s.next, certificate) {
		s.next, s.since = certificate, now
	}
	if remains := settleTime - now.Sub(s.since); remains > 0 && s.Ready() == nil {
		return remains
	}
	s.serve(certificate)
	return checkInterval
}

// unverified returns why the caBundle does not verify a certificate; nil if it does.
func (s *SelfManaged) unverified(certificate *tls.Certificate) error {
	configuration, _ := s.configuration.get()
	if configuration == nil {
		return nil
	}
	for n := range configuration.Webhooks {
		if err := verifyFor(configuration.Webhooks[n].ClientConfig.CABundle, certificate, s.name, s.now()); err != nil {
			return fmt.Errorf("the caBundle of %s does not verify it: %w", s.configuration.what, err)
		}
	}
	return nil
}

// Ready returns why the API server does not accept the served certificate; nil if it does.
func (s *SelfManaged) Ready() error {
	if err := s.serving.Ready(); err != nil {
		return err
	}
	if err := s.unverified(s.certificate.Load()); err != nil {
		if problem := s.Problem(); problem != nil {
			err = fmt.Errorf("%w; %w", err, problem)
		}
		return fmt.Errorf("the API server does not accept the served certificate: %w", err)
	}
	return nil
}

// State describes why the next certificate cannot be prepared while the served one is still accepted; ok is true if
// there is no problem.
func (s *SelfManaged) State() (text string, ok bool) {
	return s.stateOf("certificate renewal", s.Ready)
}

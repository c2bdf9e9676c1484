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

// Names of what an installation consists of.
const (
	serviceName       = "sysctl-injector"
	configurationName = "sysctl-injector"
	secretName        = "sysctl-injector-tls"
)

const (
	// settleTime is how long a CA has been in the caBundle before a certificate of it replaces another that still verifies: every
	// API server hears of the caBundle by a watch of its own.
	settleTime = 10 * time.Second
	// checkInterval is how often it is seen whether something is to be renewed, and retryInterval how soon after a failure.
	checkInterval = time.Hour
	retryInterval = 5 * time.Second
)

// SelfManaged serves a certificate that the servers make themselves, with a CA of their own. Both are in a Secret, and the CA in
// the caBundle by which the API server trusts it. Every server sees to both, and serves from the Secret as it hears of it. Where
// several write at once the API server lets one win, and the others hear of that.
//
// A CA is put into the caBundle beside the one before. A server serves a certificate only once the caBundle verifies it,
// and until then the one that it has: at no moment is one served that the caBundle in force does not verify.
//
// Of cert-controller it uses what makes a CA and what checks certificates. Its rotator does not fit: it waits for the
// certificate to come as a file, and ends the process when none comes; watches every Secret of the namespace and every webhook
// configuration; does not create the Secret; and replaces the caBundle, by which the certificates that are still served are
// refused.
type SelfManaged struct {
	serving
	name          string // that the API server verifies
	client        client.Client
	secretKey     client.ObjectKey
	secret        *object[*corev1.Secret]
	configuration *object[*admissionregistrationv1.MutatingWebhookConfiguration]
	wake          chan struct{}

	// next is what will be served, and since when the caBundle verifies it.
	next  *tls.Certificate
	since time.Time
}

// NewSelfManaged returns a source that has read and made nothing yet: Start does.
func NewSelfManaged(config *rest.Config, namespace string, log *slog.Logger) (*SelfManaged, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), admissionregistrationv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	both, err := newClient(config, scheme,
		scopedKind{&corev1.Secret{}, meta.RESTScopeNamespace},
		scopedKind{&admissionregistrationv1.MutatingWebhookConfiguration{}, meta.RESTScopeRoot},
	)
	if err != nil {
		return nil, err
	}
	s := &SelfManaged{
		// Of a service, the API server verifies this name and no other.
		serving: newServing(log), name: serviceName + "." + namespace + ".svc",
		client: both, secretKey: client.ObjectKey{Namespace: namespace, Name: secretName}, wake: make(chan struct{}, 1),
	}
	var errs [2]error
	s.secret, errs[0] = watchObject(both, "Secret "+s.secretKey.String(), &corev1.Secret{}, &corev1.SecretList{}, s.secretKey, s.changed)
	s.configuration, errs[1] = watchObject(both, "MutatingWebhookConfiguration "+configurationName,
		&admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.MutatingWebhookConfigurationList{},
		client.ObjectKey{Name: configurationName}, s.changed)
	return s, errors.Join(errs[:]...)
}

// changed has Start look at once.
func (s *SelfManaged) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Start sees to the certificate until ctx ends.
func (s *SelfManaged) Start(ctx context.Context) error {
	var watches sync.WaitGroup
	defer watches.Wait()
	watches.Go(func() { s.secret.watch(ctx) })
	watches.Go(func() { s.configuration.watch(ctx) })
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

// reconcile does what is to be done now, and says when to look again.
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
	if err := s.publish(ctx, data[caCertKey]); err != nil {
		return 0, err
	}
	certificate, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return 0, err
	}
	return s.choose(&certificate), nil
}

// write writes what was renewed into the Secret. That another server has written meanwhile is no failure: the watch tells of it.
func (s *SelfManaged) write(ctx context.Context, secret *corev1.Secret, renewed map[string][]byte) error {
	if secret == nil {
		err := s.client.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.secretKey.Namespace, Name: s.secretKey.Name, Labels: map[string]string{
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

// publish sees to it that the API server trusts a CA. Where there is no webhook configuration nobody calls the server.
func (s *SelfManaged) publish(ctx context.Context, ca []byte) error {
	configuration, found := s.configuration.get()
	if !found {
		return nil
	}
	changed, differs := configuration.DeepCopy(), false
	for n := range changed.Webhooks {
		bundle := &changed.Webhooks[n].ClientConfig.CABundle
		wanted, another, err := trust(*bundle, ca, s.now())
		if err != nil {
			return err
		}
		if another {
			*bundle, differs = wanted, true
		}
	}
	if !differs {
		return nil
	}
	patch := client.StrategicMergeFrom(configuration, client.MergeFromWithOptimisticLock{})
	if err := s.client.Patch(ctx, changed, patch); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return fmt.Errorf("patch %s: %w", s.configuration.what, err)
	}
	return nil
}

// choose serves a certificate, or waits until it may replace the one that is served.
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

// unverified says why the caBundle in force does not verify a certificate; nil when it does.
func (s *SelfManaged) unverified(certificate *tls.Certificate) error {
	configuration, _ := s.configuration.get()
	if configuration == nil {
		return nil
	}
	for n := range configuration.Webhooks {
		if err := verify(configuration.Webhooks[n].ClientConfig.CABundle, certificate, s.name, s.now()); err != nil {
			return fmt.Errorf("the caBundle of %s does not verify it: %w", s.configuration.what, err)
		}
	}
	return nil
}

// Ready says why no certificate is served that the API server accepts; nil when one is.
func (s *SelfManaged) Ready() error {
	if err := s.serving.Ready(); err != nil {
		return err
	}
	if err := s.unverified(s.certificate.Load()); err != nil {
		if problem := s.Problem(); problem != nil {
			err = fmt.Errorf("%w; %w", err, problem)
		}
		return fmt.Errorf("the certificate that is served is of no use: %w", err)
	}
	return nil
}

// Remark tells of what keeps the next certificate from coming, while the one that is served is accepted; ok when nothing does.
func (s *SelfManaged) Remark() (text string, ok bool) {
	err := s.Problem()
	if err == nil || s.Ready() != nil {
		return "", true
	}
	return fmt.Sprintf("certificate renewal: %s; serves an earlier certificate until %s", err, s.certificate.Load().Leaf.NotAfter.Format(time.RFC3339)), false
}

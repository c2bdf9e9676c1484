package install_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// renew makes cert-manager issue a certificate again, as `cmctl renew` does, and waits until it is in use.
func renew(t *testing.T, name string) {
	t.Helper()
	key := client.ObjectKey{Namespace: system, Name: name}
	certificate := &cmapi.Certificate{}
	get(t, key, certificate)
	former := ptr.Deref(certificate.Status.Revision, 0)
	eventually(t, "the renewal to begin", func(ctx context.Context) error {
		if err := objects.Get(ctx, key, certificate); err != nil {
			return err
		}
		certificate.Status.Conditions = append(certificate.Status.Conditions, cmapi.CertificateCondition{
			Type: cmapi.CertificateConditionIssuing, Status: cmmeta.ConditionTrue, Reason: "ManuallyTriggered",
			LastTransitionTime: &metav1.Time{Time: time.Now()},
		})
		return objects.Status().Update(ctx, certificate)
	})
	eventually(t, "certificate "+name+" to be issued again", func(ctx context.Context) error {
		if err := objects.Get(ctx, key, certificate); err != nil {
			return err
		}
		if got := ptr.Deref(certificate.Status.Revision, 0); got <= former {
			return fmt.Errorf("its revision is %d, and its conditions are %v", got, certificate.Status.Conditions)
		}
		return nil
	})
	if name == program {
		served(t, system)
	}
}

// renewed waits until the Secret has another certificate than it had, and all servers serve that.
func renewed(t *testing.T, former *corev1.Secret) {
	t.Helper()
	eventually(t, "the Secret to have a new certificate", func(ctx context.Context) error {
		secret := &corev1.Secret{}
		if err := objects.Get(ctx, client.ObjectKeyFromObject(former), secret); err != nil {
			return err
		}
		if now := secret.Data[corev1.TLSCertKey]; len(now) == 0 || bytes.Equal(now, former.Data[corev1.TLSCertKey]) {
			return errors.New("it has none")
		}
		return nil
	})
	served(t, former.Namespace)
}

// served waits until every server serves the certificate that is in the Secret.
func served(t *testing.T, namespace string) {
	t.Helper()
	for _, pod := range servers(t, namespace) {
		eventually(t, "server "+pod.Name+" to serve the new certificate", func(ctx context.Context) error {
			secret := &corev1.Secret{}
			if err := objects.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "sysctl-injector-tls"},
				secret); err != nil {
				return err
			}
			pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
			if err != nil {
				return err
			}
			conn, err := dialTLS(ctx, t, pod.Status.PodIP)
			if err != nil {
				return err
			}
			defer conn.Close()
			if !conn.ConnectionState().PeerCertificates[0].Equal(pair.Leaf) {
				return errors.New("it serves another")
			}
			return nil
		})
	}
}

// dialTLS connects to a server's webhook.
func dialTLS(ctx context.Context, t *testing.T, ip string) (*tls.Conn, error) {
	conn, err := suite.Cluster(t).Dial(ctx, "tcp", net.JoinHostPort(ip, webhookPort))
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // to look at what it serves
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

const webhookPort = "8443"

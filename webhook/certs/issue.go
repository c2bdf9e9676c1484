package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/keyutil"
)

// Keys of the Secret's data, in addition to the standard TLS keys.
const (
	caCertKey = "ca.crt"
	caKeyKey  = "ca.key"
)

// Both are renewed when a third of their validity is left, as cert-manager does.
const (
	caValidity   = 3 * 365 * 24 * time.Hour
	certValidity = 90 * 24 * time.Hour
	// clockSkew is how far a client's clock may be behind.
	clockSkew = time.Hour
)

const caName = "sysctl-injector-ca"

var serverAuth = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}

// renew returns the keys to change in a Secret's data so that it holds a valid CA and a valid certificate of that CA
// for the DNS name. It returns nil if nothing needs to change.
func renew(data map[string][]byte, name string, now time.Time) (map[string][]byte, error) {
	caCert, caKey := data[caCertKey], data[caKeyKey]
	renewed := map[string][]byte{}
	if !valid(caCert, caCert, caKey, caName, nil, now, caValidity/3) {
		ca, err := (&rotator.CertRotator{CAName: caName,
			CAOrganization: "sysctl-injector"}).CreateCACert(now.Add(-clockSkew), now.Add(caValidity))
		if err != nil {
			return nil, fmt.Errorf("make a CA: %w", err)
		}
		caCert, caKey = ca.CertPEM, ca.KeyPEM
		renewed[caCertKey], renewed[caKeyKey] = caCert, caKey
	} else if valid(caCert, data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey], name, &serverAuth, now,
		certValidity/3) {
		return nil, nil
	}
	cert, key, err := issue(caCert, caKey, name, now)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	renewed[corev1.TLSCertKey], renewed[corev1.TLSPrivateKeyKey] = cert, key
	return renewed, nil
}

// valid reports whether a CA verifies a certificate, both now and after the time ahead.
func valid(ca, cert, key []byte, name string, usages *[]x509.ExtKeyUsage, now time.Time, ahead time.Duration) bool {
	today, _ := rotator.ValidCert(ca, cert, key, name, usages, now)
	then, _ := rotator.ValidCert(ca, cert, key, name, usages, now.Add(ahead))
	return today && then
}

// issue issues a certificate with an ECDSA key. The library uses RSA keys, which make every handshake slower.
func issue(caCert, caKey []byte, name string, now time.Time) (cert, key []byte, err error) {
	ca, err := tls.X509KeyPair(caCert, caKey)
	if err != nil {
		return nil, nil, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		DNSNames:    []string{name},
		NotBefore:   now.Add(-clockSkew),
		NotAfter:    now.Add(certValidity),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: serverAuth,
	}, ca.Leaf, private.Public(), ca.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(private)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encoded}), key, err
}

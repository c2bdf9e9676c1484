package admission_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// authority is a CA of its own, with a certificate for the webhook's service.
type authority struct {
	bundle            []byte
	certFile, keyFile string
	expires           time.Time // of the certificate
}

func newAuthority(t *testing.T, expires time.Time) authority {
	t.Helper()
	must := func(err error) {
		t.Helper()
		must(t, err)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	began := time.Now().Add(-time.Hour)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "another CA"},
		NotBefore: began, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{installation.Name + "." + installation.Namespace + ".svc"},
		NotBefore: began, NotAfter: expires,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	issue := func(certificate *x509.Certificate, public *ecdsa.PublicKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, certificate, root, public, caKey)
		must(err)
		parsed, err := x509.ParseCertificate(der)
		must(err)
		encoded, err := certutil.EncodeCertificates(parsed)
		must(err)
		return encoded
	}
	dir := t.TempDir()
	a := authority{
		bundle: issue(root, &caKey.PublicKey), expires: expires,
		certFile: filepath.Join(dir, "tls.crt"), keyFile: filepath.Join(dir, "tls.key"),
	}
	must(os.WriteFile(a.certFile, issue(leaf, &key.PublicKey), 0o600))
	encoded, err := keyutil.MarshalPrivateKeyToPEM(key)
	must(err)
	must(os.WriteFile(a.keyFile, encoded, 0o600))
	return a
}

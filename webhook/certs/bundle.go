package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	certutil "k8s.io/client-go/util/cert"
)

// overlap is how long an earlier CA stays trusted after the next one was made: every server has moved on by then.
const overlap = time.Hour

// trust returns the CAs that a caBundle should hold for a CA to be trusted, and whether that differs from what it holds. CAs that
// it holds already stay: servers may still serve certificates of theirs. One goes when it has expired, or when it is older than
// the CA, and that has been there for a while.
func trust(bundle, ca []byte, now time.Time) (wanted []byte, differs bool, err error) {
	current, err := certutil.ParseCertsPEM(ca)
	if err != nil {
		return nil, false, fmt.Errorf("read the CA: %w", err)
	}
	newest := current[0]
	settled := now.Sub(newest.NotBefore) > clockSkew+overlap
	held, err := certutil.ParseCertsPEM(bundle)
	kept := []*x509.Certificate{newest}
	differs = err != nil // what cannot be read is replaced
	present := false
	for _, old := range held {
		switch {
		case old.Equal(newest):
			present = true
		case now.After(old.NotAfter), settled && old.NotBefore.Before(newest.NotBefore):
			differs = true
		default:
			kept = append(kept, old)
		}
	}
	wanted, err = certutil.EncodeCertificates(kept...)
	return wanted, differs || !present, err
}

// verify says why a client that trusts a caBundle would not accept a certificate for a name; nil when it would.
func verify(bundle []byte, certificate *tls.Certificate, name string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now})
	return err
}

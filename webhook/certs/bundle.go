package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	certutil "k8s.io/client-go/util/cert"
)

// overlap is how long the former CA stays trusted after the next one was made. By then every server serves a new
// certificate.
const overlap = time.Hour

// withCA returns the caBundle that trusts ca too, and whether it differs from bundle. The other CAs of bundle stay,
// because servers may still serve certificates that those signed. A CA is dropped when it has expired, and when it is
// older than ca and ca is no longer new.
func withCA(bundle, ca []byte, now time.Time) (wanted []byte, differs bool, err error) {
	current, err := certutil.ParseCertsPEM(ca)
	if err != nil {
		return nil, false, fmt.Errorf("read the CA: %w", err)
	}
	newest := current[0]
	settled := now.Sub(newest.NotBefore) > clockSkew+overlap
	held, err := certutil.ParseCertsPEM(bundle)
	kept := []*x509.Certificate{newest}
	differs = err != nil // an unreadable caBundle is replaced
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

// verifyFor returns why a client that trusts a caBundle rejects a certificate for a DNS name; nil if it accepts it.
func verifyFor(bundle []byte, certificate *tls.Certificate, name string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now})
	return err
}

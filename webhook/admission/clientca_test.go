package admission

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// With client CAs, only a client that has a certificate from one of them is served. CAs that appear later count from
// then on.
func TestServeVerifiesClients(t *testing.T) {
	authority := startAuthority(t)
	var pool atomic.Pointer[x509.CertPool]
	address, client := listeningAs(t, authority, ServerConfig{
		Handler: http.NotFoundHandler(),
		GetClientCAs: func() (*x509.CertPool, error) {
			if p := pool.Load(); p != nil {
				return p, nil
			}
			return nil, errors.New("not read yet")
		},
	})
	config := client.Transport.(*http.Transport).TLSClientConfig
	get := func() error {
		response, err := client.Get("https://" + address + "/")
		if err == nil {
			err = response.Body.Close()
		}
		return err
	}
	if err := get(); err == nil {
		t.Error("serves before there are client CAs")
	}
	certificate, ca := clientCertificate(t)
	pool.Store(ca)
	if err := get(); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("a client without a certificate gets %v", err)
	}
	config.Certificates = []tls.Certificate{certificate}
	if err := get(); err != nil {
		t.Errorf("a client with a certificate gets %v", err)
	}
}

// clientCertificate returns a client's certificate, and the CA that it verifies under: itself.
func clientCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
}

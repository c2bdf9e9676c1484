package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"testing"
	"time"
)

// pair is a certificate and its key, in PEM.
type pair struct{ cert, key []byte }

// newPair makes a certificate of the given name, which signs itself.
func newPair(t *testing.T, name string, from, until time.Time) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: until, IsCA: true,
		BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	encodedKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encodedKey}),
	}
}

func (p pair) parse(t *testing.T) *tls.Certificate {
	t.Helper()
	certificate, err := tls.X509KeyPair(p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return &certificate
}

// clock is a test's own.
type clock struct{ time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time              { return c.Time }
func (c *clock) pass(duration time.Duration) { c.Time = c.Add(duration) }

// logbook keeps what is logged.
type logbook struct{ bytes.Buffer }

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// messages returns the messages logged since the last call, each with its cause or state.
func (l *logbook) messages(t *testing.T) (all []string) {
	t.Helper()
	for decoder := json.NewDecoder(l); decoder.More(); {
		var line struct{ Msg, Cause, State string }
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if detail := line.Cause + line.State; detail != "" {
			line.Msg += ": " + detail
		}
		all = append(all, line.Msg)
	}
	return all
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

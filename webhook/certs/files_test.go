package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// write makes a certificate of the given name, valid for the given time around now, and writes it as files.
func write(t *testing.T, dir, name string, from, until time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	encodedKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: certificate}, keyFile: {Type: "PRIVATE KEY", Bytes: encodedKey}} {
		// By a rename, as the kubelet changes a mounted Secret: no reader sees half a file.
		if err := os.WriteFile(file+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func start(t *testing.T, dir string) *Files {
	t.Helper()
	files, err := NewFiles(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- files.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return files
}

// eventually waits until Ready answers what is wanted; "" is ready.
func eventually(t *testing.T, files *Files, want string) {
	t.Helper()
	var got string
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		got = ""
		if err := files.Ready(); err != nil {
			got = err.Error()
		}
		return got == want || want != "" && strings.HasPrefix(got, want), nil
	})
	if err != nil {
		t.Fatalf("ready says %q, want %q", got, want)
	}
}

func served(t *testing.T, files *Files) string {
	t.Helper()
	certificate, err := files.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return certificate.Leaf.Subject.CommonName
}

func TestServesANewCertificateWhenTheFilesChange(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	write(t, dir, "first", now.Add(-time.Hour), now.Add(time.Hour))
	files := start(t, dir)
	eventually(t, files, "")
	if got := served(t, files); got != "first" {
		t.Fatalf("serves %q", got)
	}
	write(t, dir, "second", now.Add(-time.Hour), now.Add(time.Hour))
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return served(t, files) == "second", nil
	})
	if err != nil {
		t.Errorf("still serves %q", served(t, files))
	}
}

func TestWaitsForFilesThatComeLater(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	files := start(t, dir)
	eventually(t, files, "serving certificate: open "+filepath.Join(dir, "tls.crt")+": no such file or directory")
	if _, err := files.GetCertificate(nil); err == nil {
		t.Error("serves a certificate that is not there")
	}
	write(t, dir, "late", now.Add(-time.Hour), now.Add(time.Hour))
	eventually(t, files, "")
}

func TestSaysWhyACertificateIsOfNoUse(t *testing.T) {
	now := time.Now()
	t.Run("expired", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "old", now.Add(-2*time.Hour), now.Add(-time.Hour))
		eventually(t, start(t, dir), "serving certificate: "+filepath.Join(dir, "tls.crt")+" expired at ")
	})
	t.Run("not valid yet", func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "early", now.Add(time.Hour), now.Add(2*time.Hour))
		eventually(t, start(t, dir), "serving certificate: "+filepath.Join(dir, "tls.crt")+" is not valid before ")
	})
	t.Run("key of another", func(t *testing.T) {
		dir, other := t.TempDir(), t.TempDir()
		write(t, dir, "a", now.Add(-time.Hour), now.Add(time.Hour))
		_, otherKey := write(t, other, "b", now.Add(-time.Hour), now.Add(time.Hour))
		if err := os.Rename(otherKey, filepath.Join(dir, "tls.key")); err != nil {
			t.Fatal(err)
		}
		eventually(t, start(t, dir), "serving certificate: tls: private key does not match public key")
	})
}

func TestNeedsBothFiles(t *testing.T) {
	if _, err := NewFiles("tls.crt", "", nil); err == nil || err.Error() != "certs: both a certificate file and a key file are required" {
		t.Errorf("got %v", err)
	}
}

package hostile_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/process"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

const (
	mebibyte = 1 << 20
	// memoryLimit is that of a server's container, by the chart's defaults.
	memoryLimit = 512 * mebibyte
)

// alone is the program in a process of its own, without a cluster, so that no API server limits the requests that reach
// it.
type alone struct {
	address string
	tls     *tls.Config // of its clients
	process process.Process
	log     *installation.Log
	ended   chan struct{}
}

// startAlone starts the program with the memory limit that it would read from the container's cgroup.
func startAlone(t *testing.T) *alone {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getenv(clustertest.Wanted) != "1" {
		t.Skipf("SKIPPED, the server was not overloaded: it takes minutes, and Linux; run it with %s=1",
			clustertest.Wanted)
	}
	if os.Getenv(cluster.VersionVariable) != "" {
		t.Skipf("NOT RUN with %s: it needs no Kubernetes, and is run without", cluster.VersionVariable)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, installation.Name)
	must(t, installation.Build(t.Context(), path))
	certFile, keyFile, roots := writeCertificate(t, dir)
	cmd := exec.Command(path, "serve", "--standalone",
		"--bind-address=127.0.0.1:0", "--observe-bind-address=127.0.0.1:0", "--tls-cert-file="+certFile,
		"--tls-private-key-file="+keyFile)
	cmd.Env = append(os.Environ(), "GOMEMLIMIT=460MiB")
	s := &alone{tls: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
		log: &installation.Log{}, ended: make(chan struct{})}
	cmd.Stderr = s.log
	must(t, cmd.Start())
	s.process = process.Process(cmd.Process.Pid)
	go func() {
		defer close(s.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-s.ended
	})
	err := await.Answer(t.Context(), "the server to be ready", 20*time.Millisecond, time.Minute,
		func(ctx context.Context) (string, bool) {
			webhook, observe := s.log.Addresses()
			if webhook == "" {
				return "it does not listen", false
			}
			s.address = webhook
			err := readyAt(ctx, observe)
			return errorText(err), err == nil
		})
	if err != nil {
		t.Fatalf("%v; its log:\n%s", err, s.log)
	}
	return s
}

func readyAt(ctx context.Context, observe string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+observe+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.Join(errors.New(response.Status), response.Body.Close())
	}
	return response.Body.Close()
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// writeCertificate writes a self-signed certificate for example.com, with a key of the kind that cert-manager and the
// server make.
func writeCertificate(t *testing.T, dir string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"example.com"}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	pemCert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	must(t, os.WriteFile(certFile, pemCert, 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(pemCert)
	return certFile, keyFile, roots
}

// dial opens a connection that ends with ctx.
func (s *alone) dial(ctx context.Context) (net.Conn, error) {
	dialer := tls.Dialer{Config: s.tls}
	conn, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, nil
}

// memory checks that the server runs, and that its memory has never exceeded its limit.
func (s *alone) memory(t *testing.T) process.Memory {
	t.Helper()
	memory, err := s.process.Memory()
	if err != nil {
		t.Fatalf("the server has ended: %v; its log:\n%.2000s", err, s.log)
	}
	if memory.Peak > memoryLimit {
		t.Errorf("the server took %.0f MiB, and its container has %d", memory.Peak/mebibyte, memoryLimit/mebibyte)
	}
	return memory
}

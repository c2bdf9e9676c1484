package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// serverName is the host name that the certificate is for: the Service by which an API server calls the webhook.
	serverName = "sysctl-injector.sysctl-injector-system.svc"

	patience = 10 * time.Second
)

// server is a running `sysctl-injector serve`.
type server struct {
	command *exec.Cmd
	url     string // of the webhook
	client  *http.Client
	dir     string // holds the certificate and its key
	log     bytes.Buffer
	logged  chan struct{} // closed when the log is complete
}

// addresses is what the server logs when it listens.
type addresses struct{ Webhook, Observe string }

func startServer(ctx context.Context) (*server, error) {
	s := &server{logged: make(chan struct{})}
	if err := s.start(ctx); err != nil {
		return nil, fmt.Errorf("start the server: %w\n%s", err, s.kill())
	}
	return s, nil
}

func (s *server) start(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "sysctl-injector-demo-*"); err != nil {
		return err
	}
	certFile, keyFile := filepath.Join(s.dir, "tls.crt"), filepath.Join(s.dir, "tls.key")
	roots, err := writeCertificate(certFile, keyFile)
	if err != nil {
		return err
	}
	s.client = &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS12},
	}}
	s.command = exec.CommandContext(ctx, binary, "serve", "--standalone",
		"--bind-address=127.0.0.1:0", "--observe-bind-address=127.0.0.1:0",
		"--tls-cert-file="+certFile, "--tls-private-key-file="+keyFile, "--shutdown-delay=0s")
	stderr, err := s.command.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.command.Start(); err != nil {
		return err
	}
	listens := make(chan addresses, 1)
	go s.follow(stderr, listens)
	select {
	case at := <-listens:
		s.url = "https://" + at.Webhook + "/mutate-pods"
		return s.waitReady(ctx, "http://"+at.Observe+"/readyz")
	case <-s.logged:
		return errors.New("it ended")
	case <-time.After(patience):
		return fmt.Errorf("it does not listen after %s", patience)
	}
}

// follow keeps the server's log, and passes on the addresses that it tells there.
func (s *server) follow(stderr io.Reader, listens chan<- addresses) {
	defer close(s.logged)
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		s.log.Write(lines.Bytes())
		s.log.WriteByte('\n')
		var at addresses
		if json.Unmarshal(lines.Bytes(), &at) == nil && at.Webhook != "" {
			listens <- at
		}
	}
}

func (s *server) waitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// stop ends the server as a kubelet does, and expects that it ends well.
func (s *server) stop() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.logged:
	case <-time.After(patience):
		return fmt.Errorf("the server still runs %s after SIGTERM", patience)
	}
	if err := s.command.Wait(); err != nil {
		return fmt.Errorf("the server: %w", err)
	}
	return os.RemoveAll(s.dir)
}

// kill ends the server at once, if it runs, and returns its log.
func (s *server) kill() string {
	defer os.RemoveAll(s.dir)
	if s.command == nil || s.command.Process == nil {
		return ""
	}
	_ = s.command.Process.Kill() // it may have ended by itself
	<-s.logged
	_ = s.command.Wait()
	return "Its log:\n" + s.log.String()
}

// writeCertificate makes a self-signed certificate and its key, and returns what a client trusts it by.
func writeCertificate(certFile, keyFile string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "sysctl-injector demo"},
		DNSNames:     []string{serverName},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return roots, errors.Join(os.WriteFile(certFile, certPEM, 0o600), os.WriteFile(keyFile, keyPEM, 0o600))
}

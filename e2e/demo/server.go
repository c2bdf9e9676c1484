package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/util/cert"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
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
	certificate, key, err := cert.GenerateSelfSignedCertKey(serverName, nil, nil)
	if err != nil {
		return err
	}
	certFile, keyFile := filepath.Join(s.dir, "tls.crt"), filepath.Join(s.dir, "tls.key")
	if err := errors.Join(os.WriteFile(certFile, certificate, 0o600), os.WriteFile(keyFile, key, 0o600)); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
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

// follow keeps the server's log, and passes on the addresses in it.
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
	return await.Condition(ctx, "the server to be ready", 5*time.Millisecond, patience,
		func(ctx context.Context) (bool, error) {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
			if err != nil {
				return false, err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return false, err
			}
			return response.StatusCode == http.StatusOK, response.Body.Close()
		})
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

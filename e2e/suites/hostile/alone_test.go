package hostile_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/bench/process"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

const (
	mebibyte = 1 << 20
	// memoryLimit is that of a server's container, by the chart's defaults.
	memoryLimit = 512 * mebibyte
)

// alone is the program with --standalone, so that no API server limits the requests that reach it. It listens in the
// cluster's network.
type alone struct {
	*installation.Server
	cluster *cluster.Cluster
	tls     *tls.Config // of its clients
	process process.Process
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
	c := suite.Cluster(t)
	certificate, err := c.ServingCertificate("alone")
	must(t, err)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	must(t, os.WriteFile(certFile, certificate.Cert, 0o600))
	must(t, os.WriteFile(keyFile, certificate.Key, 0o600))
	address := net.JoinHostPort(c.Address().String(), "0")
	server, err := installation.Launch(t.Context(), installation.ServerConfig{
		Cluster: c,
		Program: installed.Program,
		Args: []string{"serve", "--standalone", "--bind-address=" + address, "--observe-bind-address=" + address,
			"--tls-cert-file=" + certFile, "--tls-private-key-file=" + keyFile},
		Env: []string{"GOMEMLIMIT=460MiB"},
	})
	must(t, err)
	t.Cleanup(server.Kill)
	must(t, server.UntilReady(t.Context()))
	return &alone{server, c, clientTLS(c, certificate), process.Process(server.PID())}
}

// clientTLS returns the TLS configuration of a client of a server at the cluster's address.
func clientTLS(c *cluster.Cluster, certificate cluster.ServingCertificate) *tls.Config {
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(certificate.CA)
	return &tls.Config{RootCAs: authorities, ServerName: c.Address().String(), MinVersion: tls.VersionTLS12}
}

// dial opens a connection that ends with ctx.
func (s *alone) dial(ctx context.Context) (net.Conn, error) {
	plain, err := s.cluster.Dial(ctx, "tcp", s.Webhook)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, s.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, nil
}

// memory checks that the server runs, and that its memory has never exceeded its limit.
func (s *alone) memory(t *testing.T) process.Memory {
	t.Helper()
	memory, err := s.process.Memory()
	if err != nil {
		t.Fatalf("the server has ended: %v; its log:\n%.2000s", err, s.Log())
	}
	if memory.Peak > memoryLimit {
		t.Errorf("the server took %.0f MiB, and its container has %d", memory.Peak/mebibyte, memoryLimit/mebibyte)
	}
	return memory
}

package app

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a self-signed certificate for 127.0.0.1, and returns the options that have it served, and who
// trusts it.
func certificate(t *testing.T) (options []string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	encodedKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: encoded},
		"tls.key": {Type: "PRIVATE KEY", Bytes: encodedKey}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(encoded)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return []string{"--tls-cert-file", filepath.Join(dir, "tls.crt"), "--tls-private-key-file",
		filepath.Join(dir, "tls.key")}, roots
}

// A server without a cluster does all of its work: it says when it is ready, decides, counts, and stops at a signal.
func TestServeStandalone(t *testing.T) {
	options, roots := certificate(t)
	logged, log := io.Pipe()
	command := newCommand(strings.NewReader(""), io.Discard, log)
	command.SetArgs(append([]string{
		"serve", "--standalone", "--bind-address", "127.0.0.1:0", "--observe-bind-address", "127.0.0.1:0",
		"--shutdown-delay", "0", "--init-image", "mirror.example/busybox:1",
	}, options...))
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		err := command.ExecuteContext(ctx)
		_ = log.CloseWithError(err) // ends the reading below
		ended <- err
	}()

	var addresses struct{ Webhook, Observe string }
	lines := bufio.NewScanner(logged)
	for addresses.Webhook == "" && lines.Scan() {
		if err := json.Unmarshal(lines.Bytes(), &addresses); err != nil {
			t.Fatalf("a line of the log is no JSON: %s", lines.Text())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, logged) }()
	if addresses.Webhook == "" {
		stop()
		t.Fatalf("the log has no address: %v; the command ended with %v", lines.Err(), <-ended)
	}

	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		status, body := get(t, "http://"+addresses.Observe+"/readyz?verbose")
		if status == http.StatusOK {
			if body != "[+]shutdown ok\n[+]certificate ok\n" {
				t.Errorf("readiness: %q", body)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %s", body)
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	response, err := client.Post("https://"+addresses.Webhook+"/mutate-pods", "application/json", strings.NewReader(
		`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1",`+
			`"resource":{"version":"v1","resource":"pods"},"operation":"CREATE","namespace":"shop",`+
			`"object":{"metadata":{"annotations":{"sysctl-injector.dev/profiles":"redis"}},`+
			`"spec":{"containers":[]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var review struct {
		Response struct {
			Allowed bool
			Patch   []byte
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&review); err != nil {
		t.Fatal(err)
	}
	if patch := string(review.Response.Patch); !review.Response.Allowed ||
		!strings.Contains(patch, "mirror.example/busybox:1") || !strings.Contains(patch, "net.core.somaxconn>=") {
		t.Errorf("allowed %v, patch %s", review.Response.Allowed, patch)
	}
	if _, metrics := get(t, "http://"+addresses.Observe+"/metrics"); !strings.Contains(metrics,
		`sysctl_injector_admission_requests_total{reason="Injected"} 1`) {
		t.Errorf("the request was not counted:\n%s", metrics)
	}
	if status, _ := get(t, "http://"+addresses.Observe+"/livez"); status != http.StatusOK {
		t.Errorf("liveness: %d", status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestServeUsage(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		code   int
		errOut string
	}{
		{"takes objects from files only without a cluster", []string{"--policy", "x.yaml"}, 2,
			"error: --policy, --profile and --runtime-class are for --standalone: otherwise the server uses the " +
				"cluster's objects\nSee 'sysctl-injector serve --help'.\n"},
		{"rejects a limit below what one pod may need", []string{"--grants-max-per-minute", "16"}, 2,
			"error: --grants-max-per-minute: 16 is below 17, the number of grants that one pod may need\n" +
				"See 'sysctl-injector serve --help'.\n"},
		{"rejects a grace period of zero", []string{"--grants-grace-period", "0s"}, 2,
			"error: --grants-grace-period: 0s is not above zero\nSee 'sysctl-injector serve --help'.\n"},
		{"rejects a limit of no sysctls", []string{"--grants-max-sysctls", "0"}, 2,
			"error: --grants-max-sysctls: 0 is not above zero\nSee 'sysctl-injector serve --help'.\n"},
		{"says that it finds no cluster", []string{"--kubeconfig", "/nonexistent"}, 1,
			"error: find the cluster (--kubeconfig, or --standalone to run without one): stat /nonexistent: no such " +
				"file or directory\n"},
		{"rejects an unknown way with grants", []string{"--grants", "maybe"}, 2,
			"error: invalid argument \"maybe\" for \"--grants\" flag: must be one of generate, require\n" +
				"See 'sysctl-injector serve --help'.\n"},
		{"makes no certificate without a cluster", []string{"--standalone", "--cert-source=self-managed"}, 2,
			"error: --cert-source=self-managed and --certificate need a cluster: leave them out with --standalone\n" +
				"See 'sysctl-injector serve --help'.\n"},
		{"makes no certificate without a namespace of its own", []string{"--cert-source=self-managed"}, 2,
			"error: --cert-source=self-managed and --certificate need --namespace, the server's own\n" +
				"See 'sysctl-injector serve --help'.\n"},
		{"watches no Certificate without a namespace of its own", []string{"--certificate=x"}, 2,
			"error: --cert-source=self-managed and --certificate need --namespace, the server's own\n" +
				"See 'sysctl-injector serve --help'.\n"},
		{"makes no certificate where cert-manager does", []string{"--cert-source=self-managed", "--certificate=x"}, 2,
			"error: --certificate is for --cert-source=files: with self-managed there is no cert-manager " +
				"Certificate\nSee 'sysctl-injector serve --help'.\n"},
		{"says which address it cannot have", []string{"--standalone", "--bind-address", "127.0.0.1:-1"}, 1,
			"error: --bind-address: listen tcp: address -1: invalid port\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, _, errOut := run(t, "", append([]string{"serve", "--log-level", "ERROR"}, test.args...)...)
			if code != test.code || errOut != test.errOut {
				t.Errorf("exit code %d, standard error %q", code, errOut)
			}
		})
	}
}

package app

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// kubeconfigOf names a cluster at an address.
func kubeconfigOf(t *testing.T, address string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	content := `{apiVersion: v1, kind: Config, current-context: c, ` +
		`contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}], ` +
		`clusters: [{name: c, cluster: {server: "http://` + address + `"}}]}`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// silentCluster returns a kubeconfig of a cluster that accepts connections and never answers.
func silentCluster(t *testing.T) string {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	return kubeconfigOf(t, silent.Addr().String())
}

// Each command that asks a cluster ends in time where the cluster accepts connections and never answers.
func TestSilentCluster(t *testing.T) {
	arguments := map[string][]string{
		"audit": nil, "check": nil, "companion": {"-f", "-"}, "enroll": {"shop"},
		"explain": {"kernel.sem"}, "status": nil, "unenroll": {"shop"}, "uninstall-check": nil, "version": nil,
	}
	kubeconfig := silentCluster(t)
	for _, command := range newCommand(strings.NewReader(""), io.Discard, io.Discard).Commands() {
		flag := command.Flags().Lookup("request-timeout")
		args, isTested := arguments[command.Name()]
		if isTested != (flag != nil) {
			t.Errorf("%s: has --request-timeout: %t, is tested: %t", command.Name(), flag != nil, isTested)
		}
		if flag == nil || !isTested {
			continue
		}
		if flag.DefValue != "30s" {
			t.Errorf("%s: --request-timeout is %s by default", command.Name(), flag.DefValue)
		}
		const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec: {containers: [{name: app, image: app}]}\n"
		code, _, errOut := run(t, pod, append([]string{command.Name(), "--kubeconfig", kubeconfig,
			"--request-timeout", "50ms"}, args...)...)
		const want = "the API server gave no answer within 50ms; --request-timeout sets another limit"
		if code != 1 || !strings.Contains(errOut, want) {
			t.Errorf("%s: exit code %d, error %q", command.Name(), code, errOut)
		}
	}
}

// The program says its own version also where the cluster never answers.
func TestVersionOfASilentCluster(t *testing.T) {
	code, out, _ := run(t, "", "version", "--kubeconfig", silentCluster(t), "--request-timeout", "50ms")
	if code != 1 || !strings.HasPrefix(out, "sysctl-injector ") {
		t.Errorf("exit code %d, output %q", code, out)
	}
}

// The limit is for the beginning of an answer: what follows, as in a watch, may take longer.
func TestRequestTimeoutSparesTheRestOfAnAnswer(t *testing.T) {
	const timeout = "100ms"
	expired := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/silent" {
			<-r.Context().Done() // the limit has passed
			close(expired)
			return
		}
		_, _ = io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		<-expired
		_, _ = io.WriteString(w, "last")
	}))
	defer server.Close()
	o := &clientOptions{}
	cmd := &cobra.Command{}
	o.addFlags(cmd)
	if err := cmd.ParseFlags([]string{"--request-timeout", timeout, "--kubeconfig",
		kubeconfigOf(t, server.Listener.Addr().String())}); err != nil {
		t.Fatal(err)
	}
	config, err := o.restConfig()
	if err != nil {
		t.Fatal(err)
	}
	limited := config.WrapTransport(http.DefaultTransport)
	ask := func(path string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return limited.RoundTrip(request)
	}
	watch, err := ask("/watch")
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Body.Close()
	if silent, err := ask("/silent"); err == nil {
		_ = silent.Body.Close()
		t.Error("a request without an answer has not failed")
	}
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(watch.Body); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff("first last", answer.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRequestTimeoutIsADuration(t *testing.T) {
	code, _, errOut := run(t, "", "status", "--kubeconfig", kubeconfigOf(t, "127.0.0.1:1"), "--request-timeout", "soon")
	if code != 2 || !strings.Contains(errOut, "--request-timeout: ") {
		t.Errorf("exit code %d, error %q", code, errOut)
	}
}

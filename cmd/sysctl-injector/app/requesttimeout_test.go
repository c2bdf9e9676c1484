package app

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// The limit is for the beginning of an answer: what follows, as in a watch, may take longer. The test's time is not the
// machine's.
func TestRequestTimeoutSparesTheRestOfAnAnswer(t *testing.T) {
	const timeout = 100 * time.Millisecond
	o := &clientOptions{}
	cmd := &cobra.Command{}
	o.addFlags(cmd)
	if err := cmd.ParseFlags([]string{"--request-timeout", timeout.String(), "--kubeconfig",
		kubeconfigOf(t, "127.0.0.1:1")}); err != nil {
		t.Fatal(err)
	}
	config, err := o.restConfig()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		limited := config.WrapTransport(slowly{begins: timeout - time.Millisecond, lasts: 10 * timeout})
		watch, err := limited.RoundTrip(httptest.NewRequest(http.MethodGet, "/watch", http.NoBody))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = watch.Body.Close() }()
		if answer, err := io.ReadAll(watch.Body); string(answer) != "first last" || err != nil {
			t.Errorf("the answer is %q, %v", answer, err)
		}

		began := time.Now()
		limited = config.WrapTransport(slowly{begins: timeout + time.Millisecond})
		silent, err := limited.RoundTrip(httptest.NewRequest(http.MethodGet, "/silent", http.NoBody))
		if err == nil {
			_ = silent.Body.Close()
			t.Error("a request without an answer has not failed")
		}
		if took := time.Since(began); took != timeout {
			t.Errorf("a request without an answer fails after %s, want %s", took, timeout)
		}
	})
}

// slowly answers as a slow server would: after some time it begins, and after some more its answer ends. The context of
// the request ends both.
type slowly struct{ begins, lasts time.Duration }

func (s slowly) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	wait := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := wait(s.begins); err != nil {
		return nil, err
	}
	body, answer := io.Pipe()
	go func() {
		_, _ = io.WriteString(answer, "first ")
		err := wait(s.lasts)
		if err == nil {
			_, err = io.WriteString(answer, "last")
		}
		_ = answer.CloseWithError(err)
	}()
	return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
}

func TestRequestTimeoutIsADuration(t *testing.T) {
	code, _, errOut := run(t, "", "status", "--kubeconfig", kubeconfigOf(t, "127.0.0.1:1"), "--request-timeout", "soon")
	if code != 2 || !strings.Contains(errOut, "--request-timeout: ") {
		t.Errorf("exit code %d, error %q", code, errOut)
	}
}

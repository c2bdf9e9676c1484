// Package certs_test holds the suite of the server's certificate: a real API server that calls real servers, which make their
// certificate themselves, or tell the state of a cert-manager Certificate.
package certs_test

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

const (
	patience = 90 * time.Second
	pace     = 20 * time.Millisecond
)

var (
	//go:embed testdata/rbac.yaml
	selfManagedRBAC []byte
	//go:embed testdata/rbac-certmanager.yaml
	certManagerRBAC string

	suite = clustertest.Suite{Prepare: prepare, Finish: func(*cluster.Cluster) error { return installed.Remove() }}
	// The rest is there once the suite's cluster is.
	installed *installation.Installation
	admin     client.Client
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare installs a server with a certificate from files.
func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientscheme.AddToScheme(scheme), certmanagerv1.AddToScheme(scheme)); err != nil {
		return err
	}
	config := c.RESTConfig()
	config.WarningHandler = rest.NoWarnings{} // what the server says to people at the terminal
	config.QPS = -1
	if admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	installed, err = installation.Install(ctx, c, installation.Config{Objects: selfManagedRBAC})
	return err
}

// startServer starts a server with further flags, and ends it with the test.
func startServer(t *testing.T, args ...string) *installation.Server {
	t.Helper()
	server, err := installed.Start(t.Context(), args...)
	must(t, err)
	t.Cleanup(func() {
		server.Kill()
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", tail(server.Log(), 20))
		}
	})
	return server
}

// observe reads what a server tells of itself.
func observe(t *testing.T, server *installation.Server, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+server.Observe+path, http.NoBody)
	must(t, err)
	reader := http.Client{Transport: &http.Transport{DialContext: suite.Cluster(t).Dial, DisableKeepAlives: true}}
	response, err := reader.Do(request)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return string(body)
}

// kubectl runs kubectl as an administrator.
func kubectl(t *testing.T, input string, args ...string) {
	t.Helper()
	command := suite.Cluster(t).Command(t.Context(), "kubectl", args...)
	command.Stdin = strings.NewReader(input)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// eventually waits for what happens on its own. State says how things are where that is never so.
func eventually(t *testing.T, what string, state func() string, condition func(context.Context) (bool, error)) {
	t.Helper()
	if err := await.Condition(t.Context(), what, pace, patience, condition); err != nil {
		t.Fatalf("%v; %s", err, state())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tail keeps the last lines of a text.
func tail(text string, lines int) string {
	all := strings.SplitAfter(text, "\n")
	return strings.Join(all[max(0, len(all)-lines-1):], "")
}

// lines are those of a text that hold another.
func lines(text, with string) (found []string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, with) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

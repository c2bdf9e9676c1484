// Package certs_test tests the server's certificate: a real API server calls real servers, which create their
// certificate themselves or report the state of a cert-manager Certificate.
package certs_test

import (
	"context"
	_ "embed"
	"os"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
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

	must = clustertest.Must
)

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// prepare installs a server with a certificate from files.
func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if admin, err = clustertest.NewAdmin(c, certmanagerv1.AddToScheme); err != nil {
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
			t.Logf("the end of the server's log:\n%s", installation.Tail(server.Log(), 20))
		}
	})
	return server
}

// observe returns what a server answers beside the webhook, whatever the status.
func observe(t *testing.T, server *installation.Server, path string) string {
	t.Helper()
	body, err := server.Get(t.Context(), path)
	if body == "" {
		must(t, err)
	}
	return body
}

// kubectl runs kubectl as an administrator.
func kubectl(t *testing.T, input string, args ...string) {
	t.Helper()
	_, err := suite.Cluster(t).Kubectl(t.Context(), input, args...)
	must(t, err)
}

// eventually waits for a condition. If it never holds, the failure contains the state.
func eventually(t *testing.T, what string, state func() string, condition func(context.Context) (bool, error)) {
	t.Helper()
	if err := await.Condition(t.Context(), what, pace, patience, condition); err != nil {
		t.Fatalf("%v; %s", err, state())
	}
}

// lines returns the lines of a text that contain another text.
func lines(text, with string) (found []string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, with) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// Package node_test tests the project on a real node: a kubelet, containerd and the running kernel. The values are read
// inside the app's container, which has no privilege, and the host's values are compared before and after.
package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	patience = time.Minute
	pace     = 50 * time.Millisecond
)

var (
	suite = clustertest.Suite{
		// The kubelet's flag from the Kata Containers guide: on this node, pods can set these sysctls by themselves.
		Config: cluster.Config{Node: true,
			KubeletArgs: []string{"--allowed-unsafe-sysctls=kernel.msg*,net.ipv4.route.min_pmtu"}},
		Parallel: 8, // most of a test's time is spent waiting for the kubelet; fewer pods start at once (see starting)
		Prepare:  prepare,
		Finish:   func(*cluster.Cluster) error { return installed.Remove() },
	}
	installed *installation.Installation
	client    *kubernetes.Clientset

	// awaitAnswer waits for an answer of the API server that depends on its caches.
	awaitAnswer      = clustertest.Answers(patience)
	eventually, must = clustertest.Eventually(patience), clustertest.Must
)

func TestMain(m *testing.M) {
	if uid := os.Getenv(traceVariable); uid != "" {
		trace(uid, os.Args[1:])
		return
	}
	remove := addGuests(&suite.Config)
	code := suite.Run(m)
	remove()
	os.Exit(code)
}

func prepare(ctx context.Context, c *cluster.Cluster) (err error) {
	if client, err = kubernetes.NewForConfig(clustertest.AdminConfig(c)); err != nil {
		return err
	}
	if installed, err = installation.Install(ctx, c, installation.Config{Args: []string{"--kubelet-sysctls",
		declared}}); err != nil {
		return err
	}
	if err := installGuard(ctx, c); err != nil {
		return errors.Join(fmt.Errorf("install the guard: %w", err), installed.Remove())
	}
	return nil
}

// installGuard installs the guard for the cluster's version, with the same declaration that the server has.
func installGuard(ctx context.Context, c *cluster.Cluster) error {
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	rendered, err := exec.CommandContext(ctx, installed.Program, "render", "guard", "--kubernetes-version",
		version.GitVersion, "--kubelet-sysctls", declared).Output()
	if err != nil {
		return err
	}
	_, err = c.Kubectl(ctx, string(rendered), "apply", "-f", "-")
	return err
}

// enrolled are the labels of a namespace that is enrolled, and held to the strictest standard by the guard.
func enrolled() map[string]string { return guardedAt("restricted") }

func guardedAt(standard string) map[string]string {
	return map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled, v1alpha1.EnforceLabel: standard}
}

// makeNamespace creates a namespace for a test.
func makeNamespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	suite.Cluster(t)
	return clustertest.Namespace(t, client, metav1.ObjectMeta{Labels: labels})
}

// command runs a program in the cluster's network and returns its output, with errors in it.
func command(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	output, err := suite.Cluster(t).Command(t.Context(), name, args...).CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

// onNode runs a program on the node.
func onNode(t *testing.T, name string, args ...string) string {
	t.Helper()
	output, err := suite.Cluster(t).NodeCommand(t.Context(), name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("on the node, %s %q: %v: %s", name, args, err, exit.Stderr)
		}
		t.Fatalf("on the node, %s %q: %v", name, args, err)
	}
	return strings.TrimSpace(string(output))
}

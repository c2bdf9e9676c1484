package check_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// A permission that the caller lacks is not reported as a failure of the cluster. The ClusterRole "view" covers few of
// the objects.
func TestMissingPermissionsAreNotFailures(t *testing.T) {
	awaitHealthy(t)
	mustShell(t, `
		kubectl -n default create serviceaccount viewer
		kubectl create clusterrolebinding viewer --clusterrole=view --serviceaccount=default:viewer`)
	const viewer = "system:serviceaccount:default:viewer"
	clustertest.AwaitCanI(t, suite.Cluster(t), true, "default", viewer, "list", "pods")
	r, err := check(t.Context(), suite.Cluster(t), "--as", viewer)
	must(t, err)
	if r.code != 0 {
		t.Errorf("exit code %d", r.code)
	}
	var unread []string
	for _, c := range r.findings() {
		if c.Status != inspect.Unknown || !strings.Contains(c.Message, "forbidden") {
			t.Errorf("%s %s: %s", c.Status, c.Name, c.Message)
		}
		unread = append(unread, c.Name)
	}
	want := []string{
		"NodeKernel", "CustomResourceDefinition", "WebhookEntry", "Certificate", "ServerLeader", "ServerRights",
		"ServerBounds", "Guard",
		"PolicyReady", "NamespaceUnguarded", "GrantStray",
	}
	if diff := cmp.Diff(want, unread); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r, err = check(t.Context(), suite.Cluster(t), "--pre", "--certificates", inspect.SelfManaged, "--as", viewer)
	must(t, err)
	for _, c := range r.findings() {
		if c.Name == inspect.QuestionPermissions.Name && c.Status == inspect.Failed && strings.Contains(c.Command,
			"--user="+viewer) {
			return
		}
	}
	t.Errorf("before an install: %v", r.findings())
}

// TestWait checks that the command repeats the checks with --wait until none fails.
func TestWait(t *testing.T) {
	awaitHealthy(t)
	mustShell(t, "kubectl delete clusterrolebinding sysctl-injector")
	cmd := suite.Cluster(t).Command(t.Context(), program, "check", "--wait", patience.String())
	var out strings.Builder
	cmd.Stdout = &out
	must(t, cmd.Start())
	runRemedies(t)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// Without --wait, the command fails at once, and prints the number of failed checks to standard error.
func TestExitCode(t *testing.T) {
	awaitHealthy(t)
	mustShell(t, "kubectl delete clusterrolebinding sysctl-injector")
	defer runRemedies(t)
	cmd := suite.Cluster(t).Command(t.Context(), program, "check")
	var errOut strings.Builder
	cmd.Stderr = &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || errOut.String() != "error: 1 check failed\n" {
		t.Errorf("%v: %s", err, errOut.String())
	}
}

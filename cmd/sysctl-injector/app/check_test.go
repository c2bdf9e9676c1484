package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

func TestPrintChecks(t *testing.T) {
	failed := inspect.QuestionGuard.Fail("", "the guard is\x1b[2J not installed")
	failed.Remedy, failed.Command = "install it:", "sysctl-injector render guard | kubectl apply -f -"
	warned := inspect.QuestionLeader.Warn("lease/sysctl-injector", "no server is the leader")
	warned.Remedy = "see the log"
	lacked := inspect.LackedError{Permission: inspect.Permission{Verb: "get", Resource: "roles"}}
	checks := []inspect.Check{
		inspect.QuestionVersion.Pass("Kubernetes v1.37.2 is " +
			"supported"), warned, inspect.QuestionRights.Unread("the RBAC objects", lacked), failed,
	}
	inspect.Sort(checks)
	var out strings.Builder
	if err := printChecks(&out, checkReport{Checks: checks, Counts: inspect.Count(checks)}); err != nil {
		t.Fatal(err)
	}
	want := `Kubernetes
✓ Kubernetes v1.37.2 is supported

installation
! no server is the leader
    see the log
! not checked: the RBAC objects could not be read: you lack the permission "get roles"
    repeat the check as a user with permission to read it

guard
✗ the guard is\x1b[2J not installed
    install it:
    $ sysctl-injector render guard | kubectl apply -f -

1 passed, 1 failed, 1 warnings, 1 not checked
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckFlags(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"check", "shop"}, "error: unknown command \"shop\" for \"sysctl-injector check\"\nSee " +
			"'sysctl-injector check --help'.\n"},
		{[]string{"check", "--wait", "-1s"}, "error: --wait: -1s is negative\nSee 'sysctl-injector check --help'.\n"},
		{[]string{"check", "--certificates", "none"}, "error: invalid argument \"none\" for \"--certificates\" " +
			"flag: must be one of cert-manager, self-managed, existing-secret\n" +
			"See 'sysctl-injector check --help'.\n"},
	} {
		if code, _, errOut := run(t, "", test.args...); code != exitUsage || errOut != test.want {
			t.Errorf("%q: exit code %d, %q, want %q", test.args, code, errOut, test.want)
		}
	}
}

// If the Deployment cannot be read, the server's settings are not known: what they decide is not checked.
func TestCheckAssumesNoSettings(t *testing.T) {
	kubeconfig := answers{
		"GET /api/v1/namespaces": answer(corev1.NamespaceList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}}),
		"GET /apis/apps/v1/namespaces/sysctl-injector-system/deployments/sysctl-injector": forbid(
			"deployments.apps is forbidden"),
	}.serve(t)
	_, out, _ := run(t, "", "check", "-o", "json", "--kubeconfig", kubeconfig)
	var report checkReport
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	want := []inspect.Question{inspect.QuestionCertificate, inspect.QuestionReplicas, inspect.QuestionRights,
		inspect.QuestionMissing}
	for _, question := range want {
		var found []string
		for _, c := range report.Checks {
			if c.Name == question.Name {
				found = append(found, c.Message)
				if c.Status != inspect.Unknown || !strings.HasSuffix(c.Message, "deployments.apps is forbidden") {
					t.Errorf("%s %s: %s", c.Status, c.Name, c.Message)
				}
			}
		}
		if len(found) != 1 {
			t.Errorf("%s has %d checks: %v", question.Name, len(found), found)
		}
	}
}

package app

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

func TestPrintChecks(t *testing.T) {
	failed := inspect.QuestionGuard.Fail("", "the guard is\x1b[2J not installed")
	failed.Remedy, failed.Command = "install it:", "sysctl-injector render guard | kubectl apply -f -"
	warned := inspect.QuestionLeader.Warn("lease/sysctl-injector", "no server is the leader")
	warned.Remedy = "see the log"
	lacked := inspect.Lacked{Permission: inspect.Permission{Verb: "get", Resource: "roles"}}
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

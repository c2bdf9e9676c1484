package app

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// As a plugin of kubectl, the program says how a person calls it.
func TestPluginSaysHowToCallIt(t *testing.T) {
	for _, tt := range []struct {
		args        []string
		out, errOut string
	}{
		{
			[]string{"injct"},
			"",
			"error: unknown command \"injct\"; did you mean inject?\nSee 'kubectl sysctl-injector --help'.\n",
		},
		{
			[]string{"status", "--nope"},
			"",
			"error: unknown flag: --nope\nSee 'kubectl sysctl-injector status --help'.\n",
		},
		{[]string{"status", "--help"}, "\n  kubectl sysctl-injector status [-n NAMESPACE | -A] [flags]\n", ""},
		{[]string{"status", "--help"}, "\n  kubectl sysctl-injector status -A -o wide\n", ""},
		{
			[]string{"convert", "--help"},
			"helm template search example/search | kubectl sysctl-injector convert -f -",
			"",
		},
		{[]string{"completion", "bash"}, "# bash completion V2 for sysctl-injector", ""},
	} {
		var out, errOut bytes.Buffer
		RunAs("/usr/local/bin/kubectl-sysctl_injector", tt.args, strings.NewReader(""), &out, &errOut)
		if !strings.Contains(out.String(), tt.out) {
			t.Errorf("%v: got\n%s", tt.args, out.String())
		}
		if diff := cmp.Diff(tt.errOut, errOut.String()); diff != "" {
			t.Errorf("%v: standard error (-want +got):\n%s", tt.args, diff)
		}
	}
}

package app

import (
	"bytes"
	"io"
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

// Each command in a help text is one that a person with the plugin can run.
func TestPluginHelpNamesNoOtherProgram(t *testing.T) {
	root := newCommand(strings.NewReader(""), io.Discard, io.Discard)
	var paths [][]string
	for _, command := range root.Commands() {
		paths = append(paths, []string{command.Name()})
		for _, sub := range command.Commands() {
			paths = append(paths, []string{command.Name(), sub.Name()})
		}
	}
	for _, path := range paths {
		var out bytes.Buffer
		RunAs("kubectl-sysctl_injector", append(path, "--help"), strings.NewReader(""), &out, io.Discard)
		for _, command := range root.Commands() {
			call := "sysctl-injector " + command.Name()
			if strings.Count(out.String(), call) > strings.Count(out.String(), "kubectl "+call) {
				t.Errorf("%v: the help says %q without kubectl:\n%s", path, call, &out)
			}
		}
	}
}

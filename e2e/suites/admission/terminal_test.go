package admission_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
)

// terminal is a person with kubectl in one namespace. If the test fails, it prints the commands and their output.
type terminal struct {
	t          *testing.T
	c          *cluster.Cluster
	namespace  string
	transcript strings.Builder
}

func newTerminal(t *testing.T, namespace string) *terminal {
	t.Helper()
	k := &terminal{t: t, c: suite.Cluster(t), namespace: namespace}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what kubectl said:\n%s", k.transcript.String())
			t.Logf("the end of the server's log:\n%s", installation.Tail(installed.Log(), 20))
		}
	})
	return k
}

// run runs kubectl with input on its standard input: again for as long as the grants of a pod are late. So a manifest
// has one pod at most, unless kubectl applies it.
func (k *terminal) run(input string, args ...string) (stdout, stderr string, err error) {
	k.t.Helper()
	args = append([]string{"--namespace=" + k.namespace}, args...)
	_, _ = clustertest.UntilGranted(k.t.Context(), func(ctx context.Context) error { // err and stderr say the same
		stdout, stderr, err = k.command(input, k.c.Command(ctx, "kubectl", args...))
		if err != nil {
			return fmt.Errorf("%w: %s", err, stderr)
		}
		return nil
	})
	return stdout, stderr, err
}

// program runs sysctl-injector itself.
func (k *terminal) program(input string, args ...string) (stdout string) {
	k.t.Helper()
	stdout, stderr, err := k.command(input, k.c.Command(k.t.Context(), installed.Program, args...))
	if err != nil {
		k.t.Fatalf("sysctl-injector %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

func (k *terminal) command(input string, cmd *exec.Cmd) (stdout, stderr string, err error) {
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	err = cmd.Run()
	said := "ok"
	if err != nil {
		said = err.Error()
	}
	fmt.Fprintf(&k.transcript, "$ %s\n%s%s(%s)\n", strings.Join(cmd.Args, " "), installation.Tail(out.String(), 60),
		errs.String(), said)
	return out.String(), errs.String(), err
}

// must runs a command that is to succeed.
func (k *terminal) must(input string, args ...string) (stdout string) {
	k.t.Helper()
	stdout, stderr, err := k.run(input, args...)
	if err != nil {
		k.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

// prints runs a command that is to succeed, and compares all that it says on its standard output.
func (k *terminal) prints(want, input string, args ...string) {
	k.t.Helper()
	if diff := cmp.Diff(want, k.must(input, args...)); diff != "" {
		k.t.Errorf("kubectl %s (-want +got):\n%s", strings.Join(args, " "), diff)
	}
}

// fails runs a command that is to fail, and compares all that it says on its standard error.
func (k *terminal) fails(want, input string, args ...string) {
	k.t.Helper()
	stdout, stderr, err := k.run(input, args...)
	if err == nil {
		k.t.Errorf("kubectl %s succeeds, and was to say:\n%s\nit says:\n%s", strings.Join(args, " "), want, stdout)
		return
	}
	if diff := cmp.Diff(want+"\n", stderr); diff != "" {
		k.t.Errorf("kubectl %s (-want +got):\n%s", strings.Join(args, " "), diff)
	}
}

// rejects runs a command that is to fail, and looks for a text in what it says.
func (k *terminal) rejects(want, input string, args ...string) {
	k.t.Helper()
	if _, stderr, err := k.run(input, args...); err == nil || !strings.Contains(stderr, want) {
		k.t.Errorf("kubectl %s: %v, it says\n%s\nwant %s in it", strings.Join(args, " "), err, stderr, want)
	}
}

// denied returns kubectl's message if the webhook rejects the object of a manifest on its standard input.
func denied(message string) string {
	return `Error from server (Forbidden): error when creating "STDIN": ` + rejection(message)
}

// rejection returns the API server's message about it.
func rejection(message string) string {
	return `admission webhook "pods.sysctl-injector.dev" denied the request: ` + message
}

// manifest writes objects as a person would have them in a file.
func manifest(t *testing.T, objects ...any) string {
	t.Helper()
	var text strings.Builder
	for _, object := range objects {
		encoded, err := yaml.Marshal(object)
		must(t, err)
		text.WriteString("---\n")
		text.Write(encoded)
	}
	return text.String()
}

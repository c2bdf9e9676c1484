package app

import (
	"strings"
	"testing"
)

// A namespace counts if the guard acts there, whatever the values of its labels.
func TestUninstallCheck(t *testing.T) {
	for _, test := range []struct {
		namespace string
		label     string
		isLeft    bool
	}{
		{"by-label", "inject=enabled", true}, {"by-mistake", "inject=true", true},
		{"half-enrolled", "enforce=baseline", true}, {"opted-out", "enforce=privileged", true},
		{"only-defaults", "defaults=enabled", false}, {"unrelated", "", false},
	} {
		namespace := labelled(test.namespace)
		if test.label != "" {
			namespace = labelled(test.namespace, test.label)
		}
		kubeconfig := fakeCluster{version: "v1.37.2", answer: lists(fails, namespace)}.kubeconfig(t)
		code, out, errOut := run(t, "", "uninstall-check", "--kubeconfig", kubeconfig)
		if test.isLeft {
			if code != 1 || !strings.Contains(errOut, "sysctl-injector unenroll "+test.namespace+"\n") {
				t.Errorf("%s: exit code %d, %q", test.namespace, code, errOut)
			}
		} else if code != 0 || out != "no namespace is enrolled\n" {
			t.Errorf("%s: exit code %d, %q, %q", test.namespace, code, out, errOut)
		}
	}
}

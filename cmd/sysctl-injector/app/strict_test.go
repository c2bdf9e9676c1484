package app

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	customResource = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\n" +
		"spec: {podAnnotations: {sysctl-injector.dev/sysctls: net.core.somaxconn = 4096}}\n"
	openShiftTemplate = "apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {name: web}\nobjects:\n" +
		"- apiVersion: v1\n  kind: Pod\n  metadata: {name: web, annotations: " +
		"{sysctl-injector.dev/sysctls: \"net.core.somaxconn = ${BACKLOG}\"}}\n" +
		"  spec: {containers: [{name: web, image: nginx}]}\n"
)

func TestStrict(t *testing.T) {
	for _, test := range []struct{ name, in, rejectedBy, acceptedBy string }{
		{"a values file", named("web") + "---\nreplicaCount: 2\n", "inject companion convert uninject", ""},
		{"a file that cannot be read", "a: 1\na: 2\n", "inject companion convert uninject", ""},
		{"a Helm template", "{{ if .Values.a }}\na: {{ .Values.b }}\n", "inject companion convert uninject", ""},
		{"an annotation of a custom resource", customResource, "inject companion convert", "uninject"},
		{"a parameter in an annotation", openShiftTemplate, "inject companion", "convert uninject"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, command := range strings.Fields(test.rejectedBy) {
				code, out, errOut := run(t, test.in, command, "-f", "-", "--strict")
				if code != exitFailed || out != "" || !strings.Contains(errOut, "error: ") {
					t.Errorf("%s: exit code %d, %s\n%s", command, code, errOut, out)
				}
			}
			for _, command := range strings.Fields(test.acceptedBy) {
				if code, _, errOut := run(t, test.in, command, "-f", "-", "--strict"); code != exitDone {
					t.Errorf("%s: exit code %d, %s", command, code, errOut)
				}
			}
		})
	}
}

// companion prints the same warnings as inject, and does not claim that no workload asks for a sysctl.
func TestCompanionWarns(t *testing.T) {
	for _, in := range []string{customResource, openShiftTemplate} {
		_, _, warnings := run(t, in, "inject", "-q", "-f", "-")
		code, out, errOut := run(t, in, "companion", "-f", "-")
		if diff := cmp.Diff(warnings, errOut); code != exitDone || out != "" || diff != "" {
			t.Errorf("exit code %d, %q (-inject +companion):\n%s", code, out, diff)
		}
	}
}

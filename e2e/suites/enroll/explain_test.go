package enroll_test

import (
	"strings"
	"testing"
)

const explainPolicy = `apiVersion: sysctl-injector.dev/v1alpha1
kind: SysctlPolicy
metadata: {name: explained}
spec:
  namespaceSelector: {matchLabels: {team: explained}}
  allow: [{names: [kernel.pid_max], kernels: [Guest]}]
`

// explain answers by the policies of the cluster, for the labels of the namespace.
func TestExplainAsksTheCluster(t *testing.T) {
	p := person{t, suite.Cluster(t)}
	p.createNamespace("explained", "team=explained")
	p.must(explainPolicy, "kubectl", "apply", "-f", "-")
	defer p.must("", "kubectl", "delete", "sysctlpolicy", "explained")

	out, errs, err := p.run("", "sysctl-injector", "explain", "kernel.pid_max", "-n", "explained")
	if err == nil || !strings.Contains(out, "In a guest kernel, pods may set it: allowed by SysctlPolicy explained.") {
		t.Errorf("explain says %v\n%s", err, out)
	}
	if want := "The policies are those of the cluster, for namespace \"explained\".\n"; errs != want {
		t.Errorf("standard error %q, want %q", errs, want)
	}
	// Another namespace has no such policy, and the built-in one does not count.
	if out, _, _ := p.run("", "sysctl-injector", "explain", "kernel.pid_max", "-n", "default"); strings.Contains(out,
		"explained") {
		t.Errorf("in another namespace:\n%s", out)
	}
	if _, errs, err := p.run("", "sysctl-injector", "explain", "kernel.pid_max", "-n", "nowhere"); err == nil ||
		!strings.Contains(errs, `read namespace "nowhere"`) {
		t.Errorf("a namespace that is not there: %v, %s", err, errs)
	}
}

package enroll_test

import (
	"encoding/json"
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

// With -A or -l, explain answers for each namespace, whether or not it is enrolled.
func TestExplainForEachNamespace(t *testing.T) {
	p := person{t, suite.Cluster(t)}
	p.createNamespace("each-open", "explain=each", "team=each", "sysctl-injector.dev/inject=enabled")
	p.createNamespace("each-plain", "explain=each")
	p.must(strings.NewReplacer("explained", "each", "Guest", "Guest, Shared", "kernel.pid_max",
		"kernel.sem, kernel.pid_max").
		Replace(explainPolicy), "kubectl", "apply", "-f", "-")
	defer p.must("", "kubectl", "delete", "sysctlpolicy", "each")

	const where = "The policies are those of the cluster.\n"
	p.says(`NAMESPACE    ENROLLED   NAME         SHARED KERNEL      GUEST KERNEL
each-open    yes        kernel.sem   by default, each   by default, each
each-plain   no         kernel.sem   by default         by default
`, where, "", "sysctl-injector", "explain", "kernel.sem", "-l", "explain=each")

	out, errs, err := p.run("", "sysctl-injector", "explain", "kernel.pid_max", "-A", "-o", "json")
	var answers []struct {
		Namespace string
		Enrolled  bool
		Sysctls   []struct {
			Name          string
			Shared, Guest struct {
				Allowed  bool
				Policies []string
				Reason   string
			}
		}
	}
	if jsonErr := json.Unmarshal([]byte(out), &answers); jsonErr != nil || err == nil || errs != where {
		t.Fatalf("%v, %v: %s%s", jsonErr, err, out, errs)
	}
	found := map[string]string{}
	for _, a := range answers {
		for _, s := range a.Sysctls {
			found[a.Namespace] = strings.Join(s.Guest.Policies, " ") + " " + s.Shared.Reason
		}
	}
	if found["each-open"] != "each NodeLevel" || found["each-plain"] != " NodeLevel" || len(found) < 5 {
		t.Errorf("got %v", found)
	}
	p.says("", "error: no namespace is selected\n", "", "sysctl-injector", "explain", "kernel.sem",
		"-l", "nothing=here")
}

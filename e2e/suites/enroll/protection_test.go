package enroll_test

import (
	"fmt"
	"strings"
	"testing"
)

// withGuard returns a person at a cluster with the shipped guard, and restores the guard after the test.
func withGuard(t *testing.T) person {
	t.Helper()
	p := person{t, suite.Cluster(t)}
	p.must("", "kubectl", "apply", "-f", guard)
	return p
}

// createNamespace creates a namespace with its labels. The API server may notice a label that comes later only after
// the first pod.
func (p person) createNamespace(name string, labels ...string) {
	p.t.Helper()
	manifest := fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n  labels:\n", name)
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		manifest += fmt.Sprintf("    %s: %q\n", key, value)
	}
	p.must(manifest, "kubectl", "create", "-f", "-")
}

func TestEnrollRejectsNamespacesThatTheGuardExcludes(t *testing.T) {
	p := withGuard(t)
	for _, name := range []string{"kube-system", "sysctl-injector-system"} {
		before := p.must("", "kubectl", "get", "namespace", name, "-o", "jsonpath={.metadata.labels}")
		for _, enforce := range []string{"baseline", "restricted", "privileged"} {
			p.says("",
				fmt.Sprintf("error: namespace %q: neither the webhook nor the guard acts in this namespace, so it "+
					"cannot be enrolled\n", name), "",
				"sysctl-injector", "enroll", name, "--yes", "--enforce", enforce)
		}
		if after := p.must("", "kubectl", "get", "namespace", name, "-o",
			"jsonpath={.metadata.labels}"); after != before {
			t.Errorf("the labels were %s and are %s", before, after)
		}
	}
	// -A skips them.
	all := p.must("", "sysctl-injector", "enroll", "-A", "--dry-run", "client")
	if !strings.Contains(all, "namespace/default enrolled (dry run)\n") ||
		strings.Contains(all, "namespace/kube-system ") || strings.Contains(all, "namespace/sysctl-injector-system ") {
		t.Errorf("enroll -A says\n%s", all)
	}
}

func TestEnrollRejectsAGuardThatDoesNotDoItsWork(t *testing.T) {
	p := withGuard(t)
	p.createNamespace("unguarded", "pod-security.kubernetes.io/enforce=baseline")
	for _, test := range []struct{ name, kind, object, patch, problem string }{
		{"a binding that only audits", "validatingadmissionpolicybinding", "sysctl-injector-baseline",
			`[{"op":"replace","path":"/spec/validationActions","value":["Audit"]}]`,
			`ValidatingAdmissionPolicyBinding "sysctl-injector-baseline" does not deny: its ` +
				`validationActions are [Audit]`},
		{"a binding for another namespace", "validatingadmissionpolicybinding", "sysctl-injector-exec",
			`[{"op":"replace","path":"/spec/matchResources/namespaceSelector/matchExpressions/0",` +
				`"value":{"key":"team","operator":"Exists"}}]`,
			`ValidatingAdmissionPolicyBinding "sysctl-injector-exec" does not select this namespace`},
		{"a policy that fails open", "validatingadmissionpolicy", "sysctl-injector-kernel",
			`[{"op":"replace","path":"/spec/failurePolicy","value":"Ignore"}]`,
			`ValidatingAdmissionPolicy "sysctl-injector-kernel" differs from this version in failurePolicy`},
		{"a policy without its first validation", "validatingadmissionpolicy", "sysctl-injector-baseline",
			`[{"op":"remove","path":"/spec/validations/0"}]`,
			`ValidatingAdmissionPolicy "sysctl-injector-baseline" differs from this version in validations`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := person{t, p.c}
			p.must("", "kubectl", "patch", test.kind, test.object, "--type=json", "-p", test.patch)
			defer p.must("", "kubectl", "apply", "--server-side", "--force-conflicts", "-f", guard)
			want := strings.ReplaceAll(p.notCovered("baseline", test.problem), `"shop"`, `"unguarded"`)
			p.says("", want, "", "sysctl-injector", "enroll", "unguarded", "--yes")
		})
	}
	p.says(`namespace/unguarded enrolled (server dry run)
  label pod-security.kubernetes.io/enforce: change "baseline" to "privileged"
  label sysctl-injector.dev/enforce: add "baseline"
  label sysctl-injector.dev/inject: add "enabled"
  annotation sysctl-injector.dev/former-enforce: add "baseline"
`, "", "", "sysctl-injector", "enroll", "unguarded", "--dry-run", "server")
}

func TestEachNamespaceGetsItsOwnAnswer(t *testing.T) {
	p := withGuard(t)
	var violations, asked string
	for _, name := range []string{"first", "second"} {
		p.createNamespace(name)
		p.awaitServiceAccount(name)
		// A pod of a custom resource is judged itself, because its owner is not a known workload.
		p.eventually("pod/member created", "", "kubectl", "-n", name, "create", "-f",
			"testdata/owned-by-a-custom-resource.yaml")
		violations = fmt.Sprintf("In namespace %q, \"baseline\" would reject new pods of these workloads:\n"+
			"  Pod \"member\": host namespaces (hostNetwork=true), hostPort (container \"db\" uses hostPort "+
			"1)\nContinue? [y/N] ", name)
		asked += violations
	}
	changes := func(name string) string {
		return "namespace/" + name + ` enrolled
  label pod-security.kubernetes.io/enforce: add "privileged"
  label sysctl-injector.dev/enforce: add "baseline"
  label sysctl-injector.dev/inject: add "enabled"
  annotation sysctl-injector.dev/former-enforce: add ""
`
	}
	p.says(changes("first")+changes("second"), asked, "y\ny\n", "sysctl-injector", "enroll", "first", "second")
	// Nothing changes, so nobody is asked.
	p.says("namespace/first unchanged\n", "", "", "sysctl-injector", "enroll", "first")

	// The cluster's default is weaker than the standard of the guard, so unenroll asks.
	question := func(name string) string {
		return fmt.Sprintf("In namespace %q, containers are held to \"baseline\" now; then Pod Security admission "+
			"holds them to the cluster's default level.\n"+
			"That may be weaker.\nContinue? [y/N] ", name)
	}
	back := `  label pod-security.kubernetes.io/enforce: remove "privileged"
  label sysctl-injector.dev/enforce: remove "baseline"
  label sysctl-injector.dev/inject: remove "enabled"
  annotation sysctl-injector.dev/former-enforce: remove ""
`
	p.says("namespace/second unenrolled\n"+back, question("first")+question("second")+
		"error: namespace \"first\": nothing was changed; set the label pod-security.kubernetes.io/enforce "+
		"afterwards, and add --yes\n",
		"n\ny\n", "sysctl-injector", "unenroll", "first", "second")
	p.says("namespace/first unenrolled\n"+back, strings.TrimSuffix(question("first"), "Continue? [y/N] "), "",
		"sysctl-injector", "unenroll", "first", "--yes")
}

func TestAForgedAnnotationDoesNotTurnPodSecurityOff(t *testing.T) {
	p := withGuard(t)
	p.createNamespace("forged", "pod-security.kubernetes.io/enforce=restricted")
	p.must("", "kubectl", "annotate", "namespace", "forged", "sysctl-injector.dev/former-enforce=privileged")
	p.says(`namespace/forged unenrolled
  annotation sysctl-injector.dev/former-enforce: remove "privileged"
`, "In namespace \"forged\", containers are held to \"restricted\" now; then Pod Security admission holds them to "+
		"\"restricted\".\n", "", "sysctl-injector", "unenroll", "forged")
	if got := p.must("", "kubectl", "get", "namespace", "forged", "-o",
		`jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}`); got != "restricted" {
		t.Errorf("Pod Security enforces %q", got)
	}
}

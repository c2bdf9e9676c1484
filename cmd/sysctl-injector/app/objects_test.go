package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The manifests under review must not decide on their own review.
func TestManifestsUnderReviewDoNotWidenThePolicy(t *testing.T) {
	policies := filepath.Join(t.TempDir(), "policies.yaml")
	const policy = "apiVersion: sysctl-injector.dev/v1alpha1\nkind: SysctlPolicy\nmetadata: {name: strict}\nspec:\n" +
		"  namespaceSelector: {matchLabels: {team: a}}\n" +
		"  allow: [{names: [\"net.*\"], kernels: [Shared]}, {names: [\"vm.*\"], kernels: [Guest]}]\n"
	const shop = "apiVersion: v1\nkind: Namespace\n" +
		"metadata: {name: shop, labels: {team: a, sysctl-injector.dev/inject: enabled}}\n"
	if err := os.WriteFile(policies, []byte(policy+"---\n"+shop), 0o600); err != nil {
		t.Fatal(err)
	}
	pod := func(namespace, sysctl, spec string) string {
		return "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  namespace: " + namespace +
			"\n  annotations: {sysctl-injector.dev/sysctls: " + sysctl +
			" = 65535}\nspec: {" + spec + "}\n"
	}
	wide := strings.NewReplacer("name: strict", "name: wide", "{matchLabels: {team: a}}", "{}", `"net.*"`,
		`"kernel.*"`).Replace(policy)
	const (
		class = "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\n" +
			"metadata: {name: own, labels: {sysctl-injector.dev/kernel: guest}}\nhandler: runc\n"
		namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: other, labels: {team: a}}\n"
		ignored   = "Warning: standard input: line 1: %s is ignored, because it is among the manifests under review; " +
			"to use it, name its file with %s\n"
	)
	warning := func(object, flag string) string {
		return strings.Replace(strings.Replace(ignored, "%s", object, 1), "%s", flag, 1)
	}
	for _, test := range []struct {
		name, in string
		args     []string
		code     int
		errOut   string // that it begins with
	}{
		{"passes what the policy allows", pod("shop", "net.core.somaxconn", ""), []string{"--policy", policies}, 0, ""},
		{"a policy among the manifests", wide + pod("shop", "kernel.sem", ""), []string{"--policy", policies}, 1,
			warning(`SysctlPolicy "wide"`, "--policy") + "error: "},
		{"the named policy, made wider", strings.Replace(wide, "wide", "strict", 1) + pod("shop", "kernel.sem", ""),
			[]string{"--policy", policies}, 1,
			warning(`SysctlPolicy "strict"`, "--policy") + "error: "},
		{"a policy among the manifests, beside the built-in one", strings.Replace(wide, "kernel.*", "user.*", 1) +
			pod("shop", "user.max_user_namespaces", ""), nil, 1,
			warning(`SysctlPolicy "wide"`, "--policy") + "error: "},
		{"a RuntimeClass among the manifests", class + pod("shop", "vm.max_map_count", "runtimeClassName: own"),
			[]string{"--policy", policies}, 1, warning(`RuntimeClass "own"`, "--runtime-class") + "error: "},
		{"a namespace among the manifests", namespace + pod("other", "net.core.somaxconn", ""),
			[]string{"--policy", policies}, 1, warning(`Namespace "other"`, "--policy") + "error: "},
		{"another Namespace in place of the named one", strings.ReplaceAll(strings.Replace(namespace, "team: a",
			"team: b", 1), "other", "shop") + pod("shop", "net.core.somaxconn", ""),
			[]string{"--policy", policies}, 0, ""},
		{"without policies of one's own, a RuntimeClass counts", class + pod("shop", "vm.max_map_count",
			"runtimeClassName: own"), nil, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, _, errOut := run(t, test.in, append([]string{"inject", "-q", "-f", "-"}, test.args...)...)
			if code != test.code || !strings.HasPrefix(errOut, test.errOut) || code == 0 && errOut != test.errOut {
				t.Errorf("got %d\n%s\nwant %d\n%s", code, errOut, test.code, test.errOut)
			}
		})
	}
}

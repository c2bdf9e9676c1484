package enroll_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// applied holds, for each sample, the last line that kubectl prints when the sample is applied as its comment says.
var applied = map[string]string{
	"ingress-nginx-daemonset.yaml": "daemonset.apps/ingress-nginx-controller created",
	"kata-pod.yaml":                "pod/search created",
	"liberty-deployment.yaml":      "deployment.apps/liberty created",
	"profile-pod.yaml":             "pod/web created",
	"semaphores-pod.yaml":          "pod/semaphores created",
}

var applies = regexp.MustCompile(`(?m)^#   kubectl (apply -n NAMESPACE -f deploy/samples/\S+)$`)

// Each sample applies as its comment says in a namespace that is held to "restricted", and its pod is injected.
func TestSamplesInAnEnrolledNamespace(t *testing.T) {
	p := withGuard(t)
	p.createNamespace("samples", "pod-security.kubernetes.io/enforce=restricted")
	p.awaitServiceAccount("samples")
	p.must("", "sysctl-injector", "enroll", "samples")
	p.awaitInjection("samples")
	const root = "../../../"
	files, err := filepath.Glob(root + "deploy/samples/*.yaml")
	if err != nil || len(files) != len(applied) {
		t.Fatalf("there are the samples %v (%v), and %d are applied", files, err, len(applied))
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(t, err)
		command := applies.FindSubmatch(content)
		if command == nil {
			t.Errorf("%s does not say how to apply it", file)
			continue
		}
		args := strings.Fields(strings.NewReplacer("NAMESPACE", "samples", " deploy/",
			" "+root+"deploy/").Replace(string(command[1])))
		p.eventually(applied[filepath.Base(file)], "", "kubectl", args...)
	}
	// The cluster has no node for the DaemonSet, so its pod is created by hand.
	template := p.must("", "kubectl", "-n", "samples", "get", "daemonset", "ingress-nginx-controller", "-o",
		"jsonpath={.spec.template}")
	daemon := strings.Replace(template, `"metadata":{`,
		`"apiVersion":"v1","kind":"Pod","metadata":{"name":"ingress-nginx-controller",`, 1)
	_, err = clustertest.UntilGranted(t.Context(), func(context.Context) error {
		if _, errs, err := p.run(daemon, "kubectl", "-n", "samples", "create", "-f", "-"); err != nil {
			return fmt.Errorf("%w: %s", err, errs)
		}
		return nil
	})
	must(t, err)
	const names = "custom-columns=NAME:.metadata.name,FIRST:.spec.initContainers[0].name"
	for _, name := range []string{"ingress-nginx-controller ", "search ", "liberty-", "web ", "semaphores "} {
		p.eventually("\n"+name, "", "kubectl", "-n", "samples", "get", "pods", "-l",
			"sysctl-injector.dev/injected=true", "-o", names)
	}
	if pods := p.must("", "kubectl", "-n", "samples", "get", "pods", "-o", names, "--no-headers"); strings.Count(pods,
		" sysctl-injector") != len(applied) {
		t.Errorf("not every pod is injected:\n%s", pods)
	}
}

// Before it is uninstalled, the command says which namespaces are enrolled.
func TestUninstallCheck(t *testing.T) {
	p := person{t, suite.Cluster(t)}
	const labels = "-l=sysctl-injector.dev/inject=enabled"
	before := strings.Fields(p.must("", "kubectl", "get", "namespaces", labels, "-o",
		"jsonpath={.items[*].metadata.name}"))
	for _, name := range before {
		p.must("", "kubectl", "label", "namespace", name, "sysctl-injector.dev/inject-", "sysctl-injector.dev/enforce-")
	}
	p.says("no namespace is enrolled\n", "", "", "sysctl-injector", "uninstall-check")
	p.createNamespace("half-enrolled", "sysctl-injector.dev/enforce=baseline")
	p.createNamespace("by-label", "sysctl-injector.dev/inject=enabled")
	p.createNamespace("by-mistake", "sysctl-injector.dev/inject=true")
	p.says("", "error: these namespaces are still enrolled: by-label, by-mistake, half-enrolled; "+
		"without sysctl-injector, nothing holds their pods to a Pod Security Standard, "+
		"and pods start there without their sysctls; run first: sysctl-injector unenroll by-label by-mistake "+
		"half-enrolled\n", "", "sysctl-injector", "uninstall-check")
}

package install_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// While a namespace is enrolled, "helm uninstall" says which one and deletes nothing.
func TestUninstallWhileEnrolled(t *testing.T) {
	installed(t)
	defer keepLogs(t)
	makeNamespace(t, "load", enrolled())
	enrolled := strings.Fields(kubectl(t, "get", "namespaces", "-l", "sysctl-injector.dev/inject=enabled", "-o",
		"jsonpath={.items[*].metadata.name}"))

	output, err := command(t, helmPath, "uninstall", program, "--namespace="+system, "--timeout=3m")
	want := fmt.Sprintf("error: these namespaces are still enrolled: %s; without sysctl-injector, nothing holds "+
		"their pods to a Pod Security Standard, "+
		"and pods start there without their sysctls; run first: sysctl-injector unenroll %s",
		strings.Join(enrolled, ", "), strings.Join(enrolled, " "))
	if err == nil || !strings.Contains(output, want) {
		t.Errorf("helm uninstall: %v, and it says\n%s\nwant\n%s", err, output, want)
	}
	if left := kubectl(t, "get", "serviceaccounts,clusterroles,clusterrolebindings", "-n", system, "-o",
		"name"); strings.Contains(left, program+"-uninstall") {
		t.Errorf("the rights of the Job are left:\n%s", left)
	}
	serving(t, system, former)

	// After that, the installation can be kept.
	var history []struct{ Revision int }
	must(t, json.Unmarshal([]byte(helm(t, "history", program, "--namespace="+system, "-o", "json")),
		&history))
	helm(t, "rollback", program, fmt.Sprint(history[len(history)-1].Revision), "--namespace="+system)
	install(t, system, former)
	serving(t, system, former)

	labels := func(change string) {
		kubectl(t, append(append([]string{"label", "namespaces"}, enrolled...), "sysctl-injector.dev/inject"+change)...)
	}
	labels("-")
	defer labels("=enabled") // for the tests that follow
	helm(t, "uninstall", program, "--namespace="+system, "--timeout=3m", "--wait")
	wantUninstalled(t)
}

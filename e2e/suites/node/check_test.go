package node_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// check reads from the real kubelet which unsafe sysctls it allows, and from the node's status that pods can have a
// user namespace.
func TestCheckReadsTheKubelet(t *testing.T) {
	t.Parallel()
	output, err := suite.Cluster(t).Command(t.Context(), installed.Program, "check", "--pre", "-o", "json").Output()
	var report struct{ Checks []inspect.Check }
	if json.Unmarshal(output, &report) != nil {
		t.Fatalf("%v: %s", err, output)
	}
	got := map[string]string{}
	for _, c := range report.Checks {
		switch c.Name {
		case inspect.QuestionAllowed.Name, inspect.QuestionUserNamespace.Name, inspect.QuestionUserNamespaceIPC.Name:
			got[c.Name] = string(c.Status) + ": " + c.Message
		}
	}
	want := map[string]string{
		inspect.QuestionAllowed.Name: "Passed: form native: all kubelets allow kernel.msg*, net.ipv4.route.min_pmtu, " +
			"which kubeletSysctls may declare",
		inspect.QuestionUserNamespace.Name: "Passed: form user-namespace (hostUsers: false): supported on 1 node",
		inspect.QuestionUserNamespaceIPC.Name: "Passed: form user-namespace (hostUsers: false): the nodes support " +
			"IPC sysctls too",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package node_test

import (
	"context"
	"os"
	"strings"
	"testing"
)

// keepsHost reads sysctls of the node and of this machine now, and again when the test ends: they must be the same.
// The node has the machine's kernel and IPC namespace, and a network namespace of its own.
func keepsHost(t *testing.T, names ...string) {
	t.Helper()
	before := hostValues(t, names)
	t.Cleanup(func() {
		after := hostValues(t, names)
		for what, value := range before {
			if after[what] != value {
				t.Errorf("%s was %q before and is %q after", what, value, after[what])
			}
		}
	})
}

func hostValues(t *testing.T, names []string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range names {
		content, err := os.ReadFile(procPath(name))
		must(t, err)
		found["on the machine, "+name] = normal(string(content))
		// Not the test's context, which has ended where this is a cleanup.
		output, err := suite.Cluster(t).Command(context.Background(), "cat", procPath(name)).CombinedOutput()
		if err != nil {
			t.Fatalf("read %s of the node: %v: %s", name, err, output)
		}
		found["on the node, "+name] = normal(string(output))
	}
	return found
}

// hostValue returns a sysctl of the node.
func hostValue(t *testing.T, name string) string {
	t.Helper()
	return hostValues(t, []string{name})["on the node, "+name]
}

// procPath returns the path of a sysctl in /proc/sys.
func procPath(name string) string { return "/proc/sys/" + strings.ReplaceAll(name, ".", "/") }

package reader

import (
	"strings"

	"github.com/sysctl-injector/sysctl-injector/docs/transcript"
)

// Exception is a block that no test runs as it is printed.
type Exception struct{ Page, Begins, Reason string }

// notRun are all such blocks.
var notRun = []Exception{
	{"README.md", "make demo\nmake test", "make test is what runs the tests; `make demo` takes a terminal"},
	{"SECURITY.md", "IDENTITY=", "needs a published release; e2e/suites/release signs and verifies one"},
	{"docs/concepts.md", "# unshare", "the second command prints the values of the reader's own node"},
	{"docs/development.md", "SYSCTL_INJECTOR_E2E=1 go test -count=1 ./e2e", "runs suites, as make test does"},
	{"docs/development.md", "SYSCTL_INJECTOR_E2E=1 go test -count=1 -run TestRandomPods", "runs a suite for minutes"},
	{"docs/development.md", "SYSCTL_INJECTOR_KUBECONFIG=", "needs a cluster that nobody else uses"},
	{"docs/development.md", "make cluster-up", "starts a cluster beside the one of the tests"},
	{"docs/development.md", "go run ./e2e/framework/cluster/run build", "builds Kubernetes from source"},
	{"docs/development.md", "go test ./webhook/grants", "rewrites files of the checkout"},
	{"docs/development.md", "go test ./webhook/guard", "rewrites files of the checkout"},
	{"docs/development.md", "make fuzz", "fuzzes for many minutes; make test does so for seconds"},
	{"docs/development.md", "make bench-go", "measures for many minutes"},
	{"docs/development.md", "git tag", "tags the checkout; e2e/suites/release makes a release"},
	{"docs/development.md", "ctr --namespace", "needs a registry"},
	{"docs/inject.md", "#!/bin/sh", "a script for kustomize, not commands"},
	{"docs/inject.md", "kustomize build", "needs kustomize, which no suite has"},
	{"docs/install.md", "crane digest", "needs a registry"},
	{"docs/troubleshooting.md", "$ curl", "needs a server outside of a cluster"},
}

// NotRun returns the blocks that no test runs.
func NotRun() []Exception { return notRun }

// Is reports whether a block of a page is the exception.
func (e Exception) Is(page string, block transcript.Block) bool {
	return e.Page == page && strings.HasPrefix(block.Text, e.Begins)
}

// WhyNotRun returns the reason for which a block of a page does not run; empty if it does.
func WhyNotRun(page string, block transcript.Block) string {
	for _, e := range notRun {
		if e.Is(page, block) {
			return e.Reason
		}
	}
	return ""
}

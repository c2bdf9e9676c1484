package admission_test

import (
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/randompod"
)

// The samples work as they are published.
func TestSamples(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		selector string              // of its pod
		args     []string            // of the injected container
		requests corev1.ResourceList // of the injected container
	}{
		"ingress-nginx-daemonset.yaml": {"app.kubernetes.io/name=ingress-nginx",
			[]string{"net.core.somaxconn=32768",
				"net.ipv4.ip_local_port_range=32768 65535"}, randompod.Quantities("100m", "32Mi")},
		"kata-pod.yaml":           {"sysctl-injector.dev/injected", []string{"vm.max_map_count=64000"}, nil},
		"liberty-deployment.yaml": {"app=liberty", []string{"net.core.somaxconn=512"}, nil},
		"profile-pod.yaml": {"sysctl-injector.dev/injected",
			[]string{"net.ipv4.ip_local_port_range=32768 65535", "net.core.somaxconn=4096"}, nil},
		"semaphores-pod.yaml": {"sysctl-injector.dev/injected",
			[]string{"kernel.sem=10000 1024000000 500 32000"}, nil},
	}
	const dir = "../../../deploy/samples"
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) != len(tests) {
		t.Fatalf("%s holds %v (%v), and %d are tested", dir, files, err, len(tests))
	}
	for file, test := range tests {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, enrolled)
			newTerminal(t, namespace).must("", "apply", "-f", filepath.Join(dir, file))
			pod := awaitPods(t, namespace, test.selector, 1)[0]
			want := injectedContainer(&pod, test.args...)
			want.Resources.Requests = test.requests
			wantContainer(t, &pod, want)
		})
	}
}

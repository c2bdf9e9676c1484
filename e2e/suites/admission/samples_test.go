package admission_test

import (
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The samples work as they are published.
func TestSamples(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		namespace, account string              // that the sample names, if it does
		selector           string              // of its pod
		args               []string            // of the injected container
		requests           corev1.ResourceList // of the injected container
	}{
		"ingress-nginx-daemonset.yaml": {"ingress-nginx", "ingress-nginx", "app.kubernetes.io/name=ingress-nginx", []string{"net.core.somaxconn=32768", "net.ipv4.ip_local_port_range=32768 65535"}, quantities("100m", "32Mi")},
		"kata-pod.yaml":                {"", "", "sysctl-injector.dev/injected", []string{"vm.max_map_count=64000"}, nil},
		"liberty-deployment.yaml":      {"sugi", "psp-user", "app=liberty", []string{"net.core.somaxconn=512"}, nil},
		"profile-pod.yaml":             {"", "", "sysctl-injector.dev/injected", []string{"net.ipv4.ip_local_port_range=32768 65535", "net.core.somaxconn=4096"}, nil},
		"semaphores-pod.yaml":          {"", "", "sysctl-injector.dev/injected", []string{"kernel.sem=10000 1024000000 500 32000"}, nil},
	}
	const dir = "../../../deploy/samples"
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) != len(tests) {
		t.Fatalf("%s holds %v (%v), and %d are tested", dir, files, err, len(tests))
	}
	for file, test := range tests {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			namespace := test.namespace
			if namespace == "" {
				namespace = makeNamespace(t, optedIn)
			} else {
				makeNamed(t, namespace, test.account)
			}
			newTerminal(t, namespace).must("", "apply", "-f", filepath.Join(dir, file))
			pod := awaitPods(t, namespace, test.selector, 1)[0]
			want := injectedContainer(&pod, test.args...)
			want.Resources.Requests = test.requests
			wantContainer(t, &pod, want)
		})
	}
}

func makeNamed(t *testing.T, namespace, account string) {
	t.Helper()
	_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: optedIn}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

package app

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A native sysctl that a kubelet flag has to allow is no reason to say that there is nothing to convert.
func TestConvertReportsNativeSysctls(t *testing.T) {
	native := func(name string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n" +
			"  securityContext: {sysctls: [{name: " + name + ", value: '1'}]}\n" +
			"  containers: [{name: web, image: nginx}]\n"
	}
	for _, test := range []struct {
		name, input, want string
		code              int
		args              []string
	}{
		{"unsafe", native("net.core.somaxconn"),
			`line 5: Pod "web": securityContext.sysctls[0] "net.core.somaxconn": stays as it is
  kubelets reject it unless --allowed-unsafe-sysctls includes it; with --native, it becomes a line of the annotation
`, exitLeft, nil},
		{"declared", native("net.core.somaxconn"), "nothing to convert\n", exitDone,
			[]string{"--kubelet-sysctls", "net.core.*"}},
		{"declared, on request", native("net.core.somaxconn"), "nothing to convert\n", exitDone,
			[]string{"--native", "--kubelet-sysctls", "net.core.*"}},
		{"safe", native("net.ipv4.tcp_syncookies"), "nothing to convert\n", exitDone, nil},
		{"safe only on newer kubelets", native("net.ipv4.tcp_rmem"),
			"kubelets before Kubernetes 1.32 reject it unless --allowed-unsafe-sysctls includes it; " +
				"with --native, it becomes a line of the annotation\n", exitLeft,
			[]string{"--kubernetes-version", "1.34"}},
		{"safe on all kubelets", native("net.ipv4.tcp_rmem"), "nothing to convert\n", exitDone,
			[]string{"--kubernetes-version", "1.35"}},
		{"of the node", native("vm.max_map_count"),
			"and it cannot move to the annotation: a pod cannot set vm.max_map_count\n", exitLeft, nil},
		{"of a custom resource",
			"apiVersion: pingcap.com/v1alpha1\nkind: TidbCluster\nmetadata: {name: a}\n" +
				"spec: {tikv: {podSecurityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}, " +
				"{name: net.ipv4.tcp_syncookies, value: '1'}]}}}\n",
			"or an operator sets them with its own container: net.core.somaxconn\n", exitLeft, nil},
		{"of a custom resource, safe only on newer kubelets",
			"apiVersion: pingcap.com/v1alpha1\nkind: TidbCluster\nmetadata: {name: a}\n" +
				"spec: {tikv: {podSecurityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: '1 2 3'}, " +
				"{name: net.ipv4.tcp_syncookies, value: '1'}]}}}\n",
			"with its own container: net.ipv4.tcp_rmem (safe since Kubernetes 1.32)\n", exitLeft,
			[]string{"--kubernetes-version", "1.31"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, report := run(t, test.input, append([]string{"convert", "-f", "-"}, test.args...)...)
			if code != test.code || !strings.Contains(report, test.want) || out != test.input {
				t.Errorf("exit code %d, want %d; report %s", code, test.code, report)
			}
		})
	}
}

// As a KRM function, convert reads a ResourceList and writes one. The strategy native-first of inject makes the way
// back at admission.
func TestConvertNativeInAResourceList(t *testing.T) {
	const list = `apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: web}
  spec:
    securityContext: {sysctls: [{name: net.core.somaxconn, value: "8"}]}
    containers: [{name: web, image: nginx}]
`
	code, out, report := run(t, list, "convert", "-f", "-", "--native")
	if code != exitDone || !strings.Contains(out, "sysctl-injector.dev/sysctls: net.core.somaxconn = 8") ||
		strings.Contains(out, "securityContext") {
		t.Fatalf("exit code %d, report %s\n%s", code, report, out)
	}
	code, out, report = run(t, out, "inject", "-f", "-", "--strategy", "native-first", "--kubelet-sysctls",
		"net.core.*")
	if code != exitDone || !strings.Contains(out, "name: net.core.somaxconn") ||
		strings.Contains(out, "initContainers") {
		t.Errorf("exit code %d, report %s\n%s", code, report, out)
	}
}

func TestConvertNative(t *testing.T) {
	const pod = `apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  securityContext:
    sysctls:
    # a kubelet flag allows it
    - name: net.core.somaxconn
      value: "1024"
    - name: net.ipv4.ip_local_port_range
      value: 1024 65000
  initContainers:
  - name: tune
    image: busybox:1.36
    command: [sysctl, -w, net.ipv4.tcp_fin_timeout=15, net.ipv4.tcp_retries2=8]
    securityContext: {privileged: true}
  containers:
  - {name: web, image: nginx}
`
	const want = `apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations:
    sysctl-injector.dev/sysctls: |
      net.core.somaxconn = 1024
      net.ipv4.tcp_retries2 = 8
spec:
  securityContext:
    sysctls:
    # a kubelet flag allows it
    - name: net.ipv4.ip_local_port_range
      value: 1024 65000
    - name: net.ipv4.tcp_fin_timeout
      value: "15"
  containers:
  - {name: web, image: nginx}
`
	code, out, report := run(t, pod, "convert", "-f", "-", "--native", "--kubernetes-version", "1.37")
	if diff := cmp.Diff(want, out); diff != "" || code != exitDone {
		t.Errorf("exit code %d (-want +got):\n%s\n%s", code, diff, report)
	}
	for _, part := range []string{
		`securityContext.sysctls[0] "net.core.somaxconn": converted`,
		"as native sysctls:\n    net.ipv4.tcp_fin_timeout = 15\n",
	} {
		if !strings.Contains(report, part) {
			t.Errorf("the report lacks %q:\n%s", part, report)
		}
	}
	if _, again, _ := run(t, out, "convert", "-f", "-", "--native"); again != out {
		t.Errorf("a second conversion changes something:\n%s", cmp.Diff(out, again))
	}
	// The same kubelets reject a native tcp_rmem. It moves, and what is converted once stays.
	old := strings.Replace(pod, "net.ipv4.ip_local_port_range\n      value: 1024 65000",
		"net.ipv4.tcp_rmem\n      value: 4096 131072 6291456", 1)
	code, out, report = run(t, old, "convert", "-f", "-", "--native", "--kubernetes-version", "1.31")
	if code != exitDone || strings.Contains(out, "securityContext") ||
		!strings.Contains(out, "      net.ipv4.tcp_rmem = 4096 131072 6291456\n") {
		t.Errorf("exit code %d, report %s\n%s", code, report, out)
	}
	if _, again, _ := run(t, out, "convert", "-f", "-", "--native", "--kubernetes-version", "1.31"); again != out {
		t.Errorf("a second conversion changes something:\n%s", cmp.Diff(out, again))
	}
	// Kubelets of the oldest version that these API servers admit do not count tcp_fin_timeout safe.
	_, out, _ = run(t, pod, "convert", "-f", "-", "--native", "--kubernetes-version", "1.31")
	if !strings.Contains(out, "      net.ipv4.tcp_fin_timeout = 15\n") {
		t.Errorf("got\n%s", out)
	}
}

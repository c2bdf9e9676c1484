package convert

import (
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

func TestNative(t *testing.T) {
	isSafe := func(name string) bool { return name == "net.ipv4.tcp_fin_timeout" || name == "kernel.shm_rmid_forced" }
	for _, test := range []struct{ name, before, want string }{
		{
			"an unsafe sysctl becomes a line, a safe one stays",
			`{"spec": {"securityContext": {"fsGroup": 1, "sysctls": [
				{"name": "net/core/somaxconn", "value": "1024"}, {"name": "net.ipv4.tcp_syncookies", "value": "1"}
			]}, "containers": [{"name": "a"}]}}`,
			`{"metadata": {"annotations": {"sysctl-injector.dev/sysctls": "net.core.somaxconn = 1024"}},
			"spec": {"securityContext": {"fsGroup": 1, "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]},
			"containers": [{"name": "a"}]}}`,
		},
		{
			"the security context becomes empty",
			`{"metadata": {}, "spec": {"securityContext": {"sysctls": [
				{"name": "net.core.somaxconn", "value": "1024"}, {"name": "kernel.msgmax", "value": "65536"}
			]}, "containers": [{"name": "a"}]}}`,
			`{"metadata": {"annotations": {
				"sysctl-injector.dev/sysctls": "net.core.somaxconn = 1024\nkernel.msgmax = 65536\n"
			}}, "spec": {"containers": [{"name": "a"}]}}`,
		},
		{
			"the later value of a container",
			`{"spec": {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]},
			"containers": [{"name": "a"}], "initContainers": [
				{"name": "tune", "image": "busybox", "command": ["sysctl", "-w", "net.core.somaxconn=2048"],
				"securityContext": {"privileged": true}}
			]}}`,
			`{"metadata": {"annotations": {"sysctl-injector.dev/sysctls": "net.core.somaxconn = 2048"}},
			"spec": {"containers": [{"name": "a"}]}}`,
		},
		{
			"a later value of a container that only raises it",
			`{"spec": {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]},
			"containers": [{"name": "a"}], "initContainers": [
				{"name": "tune", "image": "busybox", "command": ["sh", "-c",
				"n=$(sysctl -n net.core.somaxconn); if [ $n -lt 2048 ]; then sysctl -w net.core.somaxconn=2048; fi"],
				"securityContext": {"privileged": true}}
			]}}`,
			`{"metadata": {"annotations": {"sysctl-injector.dev/sysctls": "net.core.somaxconn >= 2048"}},
			"spec": {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]},
			"containers": [{"name": "a"}]}}`,
		},
		{
			"a later value of a container that a kernel may lack",
			`{"spec": {"securityContext": {"sysctls": [{"name": "net.netfilter.nf_conntrack_udp_timeout", "value": "9"}]},
			"containers": [{"name": "a"}], "initContainers": [
				{"name": "tune", "image": "busybox",
				"command": ["sh", "-c", "sysctl -w net.netfilter.nf_conntrack_udp_timeout=10 || true"],
				"securityContext": {"privileged": true}}
			]}}`,
			`{"metadata": {"annotations": {"sysctl-injector.dev/sysctls": "-net.netfilter.nf_conntrack_udp_timeout = 10"}},
			"spec": {"securityContext": {"sysctls": [{"name": "net.netfilter.nf_conntrack_udp_timeout", "value": "9"}]},
			"containers": [{"name": "a"}]}}`,
		},
		{
			"a line of the annotation that only raises it",
			`{"metadata": {"annotations": {"sysctl-injector.dev/sysctls": "net.core.somaxconn >= 1024"}},
			"spec": {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]},
			"containers": [{"name": "a"}]}}`,
			`{"metadata": {"annotations": {"sysctl-injector.dev/sysctls": "net.core.somaxconn >= 1024"}},
			"spec": {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]},
			"containers": [{"name": "a"}]}}`,
		},
		{
			"a safe line of a container becomes native",
			`{"spec": {"containers": [{"name": "a"}], "initContainers": [
				{"name": "tune", "image": "busybox",
				"command": ["sysctl", "-w", "net.core.somaxconn=2048", "net.ipv4.tcp_fin_timeout=15"],
				"securityContext": {"privileged": true}}
			]}}`,
			`{"metadata": {"annotations": {"sysctl-injector.dev/sysctls": "net.core.somaxconn = 2048"}},
			"spec": {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_fin_timeout", "value": "15"}]},
			"containers": [{"name": "a"}]}}`,
		},
		{
			"no annotation if all lines are safe",
			`{"spec": {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]},
			"containers": [{"name": "a"}], "initContainers": [
				{"name": "tune", "image": "busybox", "command": ["sysctl", "-w", "net.ipv4.tcp_fin_timeout=15"],
				"securityContext": {"privileged": true}}
			]}}`,
			`{"spec": {"securityContext": {"sysctls": [
				{"name": "net.ipv4.tcp_syncookies", "value": "1"}, {"name": "net.ipv4.tcp_fin_timeout", "value": "15"}
			]}, "containers": [{"name": "a"}]}}`,
		},
		{
			"another value in the annotation",
			`{"metadata": {"annotations": {"sysctl-injector.dev/sysctls": "net.core.somaxconn = 9"}},
			"spec": {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]},
			"containers": [{"name": "a"}]}}`,
			`{"metadata": {"annotations": {"sysctl-injector.dev/sysctls": "net.core.somaxconn = 9"}},
			"spec": {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]},
			"containers": [{"name": "a"}]}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			result, err := Inspect([]byte(test.before), Kernel{})
			if err != nil {
				t.Fatal(err)
			}
			result.MoveNative(Kernel{}, func(name string) bool { return sysctl.Lookup(name).SafeSince != "" }, isSafe)
			after, err := result.Apply([]byte(test.before))
			if err != nil {
				t.Fatalf("%v: %v", result.Operations(), err)
			}
			if !jsonpatch.Equal(after, []byte(test.want)) {
				t.Errorf("got %s\nwant %s", after, test.want)
			}
		})
	}
}

package app

import (
	"strings"
	"testing"
)

func TestExplainShowsProfiles(t *testing.T) {
	const objects = `apiVersion: sysctl-injector.dev/v1alpha1
kind: SysctlPolicy
metadata: {name: net}
spec: {allow: [{names: ["net.*"]}]}
---
apiVersion: sysctl-injector.dev/v1alpha1
kind: SysctlProfile
metadata: {name: base}
spec: {sysctls: net.ipv4.tcp_keepalive_time = 300, appliesTo: {podSelector: {matchLabels: {app: web}}}}
`
	code, out, errOut := run(t, objects, "explain", "net.ipv4.tcp_keepalive_time", "--policy", "-")
	const want = `SysctlProfile base has net.ipv4.tcp_keepalive_time=300 for pods that name it, ` +
		`and in namespaces with defaults for pods with app=web.
SysctlProfile mongodb has net.ipv4.tcp_keepalive_time=120 for pods that name it.
SysctlProfile rabbitmq has net.ipv4.tcp_keepalive_time=30 for pods that name it.
The pod's own line wins over profiles that it names, and those win over profiles that apply by default.
`
	if code != 0 || !strings.Contains(out, want) {
		t.Errorf("exit code %d, it says\n%s%s", code, out, errOut)
	}
}

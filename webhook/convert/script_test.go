package convert

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// initContainer returns a pod template with a privileged init container that runs a command.
func initContainer(image string, command ...string) *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{
			Name: "tune", Image: image, Command: command,
			SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true), RunAsUser: ptr.To[int64](0)},
		}},
		Containers: []corev1.Container{{Name: "app", Image: "example.com/app:1"}},
	}}
}

// inspect encodes a template and inspects it.
func inspect(t *testing.T, template *corev1.PodTemplateSpec) *Result {
	t.Helper()
	encoded, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	result, err := Inspect(encoded, Kernel{})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// sketch describes the result for the first container: the lines of the annotation, or "stays: " and the first problem.
func sketch(result *Result) string {
	if len(result.Findings) == 0 {
		return "nothing"
	}
	f := result.Findings[0]
	if !f.Converts() {
		return fmt.Sprintf("stays: line %d: %s", f.Problems[0].Line, f.Problems[0].Reason)
	}
	var lines []string
	for _, a := range result.Assignments {
		lines = append(lines, a.String())
	}
	return strings.Join(lines, "; ")
}

const goesOn = "the script continues silently, but a pod with the annotation would not start"

func TestScripts(t *testing.T) {
	for _, test := range []struct{ name, image, script, want string }{
		{"a name that no kernel has any more", "busybox",
			"sysctl -w net.ipv4.tcp_tw_recycle=1; sysctl -w net.ipv4.tcp_tw_reuse=1", "net.ipv4.tcp_tw_reuse = 1"},
		{"a name that only new kernels have, failure ignored", "busybox",
			"sysctl -w net.ipv4.tcp_tw_reuse_delay=2000; true",
			"stays: line 1: not every node has net.ipv4.tcp_tw_reuse_delay; where it is missing, " + goesOn},
		{"a name of the catalogue, failure ignored", "busybox", "sysctl -w net.ipv4.udp_rmem_min=8192; true",
			"net.ipv4.udp_rmem_min = 8192"},
		{"one assignment", "busybox:1.36", `sysctl -w net.core.somaxconn=1024`, "net.core.somaxconn = 1024"},
		{"no -w", "busybox", `sysctl net.core.somaxconn=1024`, "net.core.somaxconn = 1024"},
		{"several, quiet", "alpine:3", `sysctl -qw net.core.somaxconn=1024 net.ipv4.ip_local_port_range="1024   65000"`,
			"net.core.somaxconn = 1024; net.ipv4.ip_local_port_range = 1024 65000"},
		{"the last of two wins", "busybox",
			"sysctl -w net.core.somaxconn=1 net.ipv4.tcp_syncookies=1\nsysctl -w net.core.somaxconn=2",
			"net.ipv4.tcp_syncookies = 1; net.core.somaxconn = 2"},
		{"echo into the file", "busybox", `echo 1024 > /proc/sys/net/core/somaxconn`, "net.core.somaxconn = 1024"},
		{"echo is appended", "busybox", `echo "1024 65000" >> /proc/sys/net/ipv4/ip_local_port_range`,
			"net.ipv4.ip_local_port_range = 1024 65000"},
		{"tee", "debian", `echo 1024 | tee /proc/sys/net/core/somaxconn >/dev/null`, "net.core.somaxconn = 1024"},
		{"printf", "busybox", `printf '%s\n' 1024 > /proc/sys/net/core/somaxconn`, "net.core.somaxconn = 1024"},
		{"a here-document", "busybox", "cat <<EOF > /proc/sys/net/core/somaxconn\n1024\nEOF",
			"net.core.somaxconn = 1024"},
		{"a here-document without expansion", "busybox",
			"cat <<\\EOF > /tmp/s.conf\nnet.core.somaxconn = $X\nEOF\nsysctl -p /tmp/s.conf",
			"net.core.somaxconn = $X"},
		{"a loaded file", "busybox",
			"set -e\ncat > /tmp/s.conf <<'EOF'\n# why\nnet.core.somaxconn = 1024\n\n" +
				"net.ipv4.tcp_fin_timeout=15\nEOF\nsysctl -p /tmp/s.conf",
			"net.core.somaxconn = 1024; net.ipv4.tcp_fin_timeout = 15"},
		{"a file written in two parts", "busybox",
			"echo net.core.somaxconn=1024 > /etc/sysctl.conf\n" +
				"echo net.ipv4.tcp_fin_timeout=15 >> /etc/sysctl.conf; sysctl -p",
			"net.core.somaxconn = 1024; net.ipv4.tcp_fin_timeout = 15"},
		{"loaded from standard input", "busybox", "sysctl -p - <<EOF\nnet.core.somaxconn = 1024\nEOF",
			"net.core.somaxconn = 1024"},
		{"a file that is not empty", "ubuntu", "echo net.core.somaxconn=1024 >> /etc/sysctl.conf && sysctl -p",
			"stays: line 1: /etc/sysctl.conf may contain more than the script adds"},
		{"a file of the image", "busybox", "sysctl -p",
			"stays: line 1: sysctl -p loads /etc/sysctl.conf, which the script does not write"},
		{"variables", "busybox", "A=1024\nB=\"$A\" NAME=net.core.somaxconn\nsysctl -w \"$NAME=${B}\"",
			"net.core.somaxconn = 1024"},
		{"an unknown variable", "busybox", "sysctl -w net.core.somaxconn=$BACKLOG",
			"stays: line 1: the value of $BACKLOG is not known: neither the script nor env sets it, but the image may"},
		{"arithmetic", "busybox", "sysctl -w net.core.somaxconn=$((4 * 1024))", "net.core.somaxconn = 4096"},
		{"a for loop", "busybox", "for s in net.core.somaxconn=5 net.ipv4.tcp_fin_timeout=7; do sysctl -w $s; done",
			"net.core.somaxconn = 5; net.ipv4.tcp_fin_timeout = 7"},
		{"nested loops", "busybox",
			"L='1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20'\n" +
				"for a in $L; do for b in $L; do for c in $L; do sysctl -w net.core.somaxconn=5; done; done; done",
			"stays: line 0: the script sets sysctls more than 100 times"},
		{"a short wait", "busybox", "sleep 5; sysctl -w net.core.somaxconn=1024", "net.core.somaxconn = 1024"},
		{"a wait that never ends", "busybox", "sysctl -w net.core.somaxconn=1024 && sleep infinity",
			"stays: line 1: it waits for more than 999 seconds, or for a time that is not known"},
		{"an option of echo", "busybox", "echo -e 1024 > /proc/sys/net/core/somaxconn",
			`stays: line 1: the output of echo "-e" differs between shells`},
		{"a pattern", "busybox", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done",
			"stays: line 1: /proc/sys/net/ipv4/conf/*/rp_filter is a pattern of file names: it is not known which " +
				"files exist"},
		{"an ignored failure that cannot happen", "busybox", "sysctl -w net.core.somaxconn=1024 || true",
			"net.core.somaxconn = 1024"},
		{"an ignored failure of a name that a module provides", "busybox",
			"sysctl -w net.ipv6.conf.all.forwarding=1 || true",
			"-net.ipv6.conf.all.forwarding = 1"},
		{"a condition on a name that a module provides", "busybox",
			"sysctl -w net.ipv4.ip_forward=1 && if sysctl net.ipv6.conf.all.forwarding; then " +
				"sysctl -w net.ipv6.conf.all.forwarding=1; fi",
			"net.ipv4.ip_forward = 1; -net.ipv6.conf.all.forwarding = 1"},
		{"a condition on a file that a module provides", "busybox",
			"[ -f /proc/sys/net/bridge/bridge-nf-call-iptables ] && " +
				"echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables; true",
			"-net.bridge.bridge-nf-call-iptables = 1"},
		{"a write that depends on the module of another name", "busybox",
			"sysctl -w net.ipv6.conf.all.forwarding=1 && sysctl -w net.bridge.bridge-nf-call-iptables=1; true",
			"stays: line 0: the effect of the script depends on more than the value that it raises"},
		{"an uncertain value of a module's name, failure ignored", "busybox",
			"sysctl -w net.ipv6.conf.all.forwarding=7 || true",
			"stays: line 1: it is not known whether every kernel takes net.ipv6.conf.all.forwarding = 7; if one " +
				"does not, " + goesOn},
		{"an uncertain name, failure not ignored", "busybox", "sysctl -w net.ipv6.conf.all.forwarding=1",
			"net.ipv6.conf.all.forwarding = 1"},
		{"an uncertain value, failure ignored", "busybox", "sysctl -w net.ipv4.tcp_retries2=300; true",
			"stays: line 1: it is not known whether every kernel takes net.ipv4.tcp_retries2 = 300; if one " +
				"does not, " + goesOn},
		{"a failure ignored by ;", "alpine", "sysctl -w net.core.netdev_max_backlog=5; sysctl -w net.core.somaxconn=7",
			"net.core.somaxconn = 7"},
		{"a failure at the end", "alpine", "sysctl -w net.core.somaxconn=7; sysctl -w net.core.netdev_max_backlog=5",
			"stays: line 1: net.core.netdev_max_backlog: a pod does not have it or may not write it, so the script " +
				"fails there and the pod never starts"},
		{"a failure with &&", "alpine", "sysctl -w net.core.netdev_max_backlog=5 && sysctl -w net.core.somaxconn=7",
			"stays: line 1: net.core.netdev_max_backlog: a pod does not have it or may not write it, so the script " +
				"fails there and the pod never starts"},
		{"a failure under set -e", "alpine",
			"set -e; sysctl -w net.core.netdev_max_backlog=5; sysctl -w net.core.somaxconn=7",
			"stays: line 1: net.core.netdev_max_backlog: a pod does not have it or may not write it, so the script " +
				"fails there and the pod never starts"},
		{"a failure of one of several names", "alpine",
			"sysctl -w net.core.netdev_max_backlog=5 net.core.somaxconn=7 || true", "net.core.somaxconn = 7"},
		{"a failure before ||", "alpine", "sysctl -w net.core.netdev_max_backlog=5 || sysctl -w net.core.somaxconn=7",
			"net.core.somaxconn = 7"},
		{"a fallback that never runs", "alpine", "sysctl -w net.core.somaxconn=7 || sysctl -w net.core.somaxconn=5",
			"net.core.somaxconn = 7"},
		{"only if lower", "busybox",
			`if [ "$(sysctl -n net.core.somaxconn)" -lt 1024 ]; then sysctl -w net.core.somaxconn=1024; fi`,
			"net.core.somaxconn >= 1024"},
		{"only if lower, with the operands swapped", "busybox",
			`if [ 1024 -gt $(cat /proc/sys/net/core/somaxconn) ]; then echo 1024 > /proc/sys/net/core/somaxconn; fi`,
			"net.core.somaxconn >= 1024"},
		{"only if lower, with variables", "busybox",
			"want=1024\nhave=`sysctl -n net.core.somaxconn`\n[ $have -ge $want ] || sysctl -w net.core.somaxconn=$want",
			"net.core.somaxconn >= 1024"},
		{"only if lower, with an early exit", "busybox",
			"[ $(sysctl -n net.core.somaxconn) -ge 1024 ] && exit 0\nsysctl -w net.core.somaxconn=1024",
			"net.core.somaxconn >= 1024"},
		{"only if lower, with the output of sysctl", "busybox",
			"v=$(sysctl net.core.somaxconn | awk '{print $3}')\n" +
				"if test $v -lt 1024; then sysctl -w net.core.somaxconn=1024; fi",
			"net.core.somaxconn >= 1024"},
		{"only if it differs", "busybox",
			"if [ $(cat /proc/sys/net/ipv4/ip_forward) -ne 1 ]; then sysctl -w net.ipv4.ip_forward=1; fi",
			"net.ipv4.ip_forward = 1"},
		{"only if it differs, as text", "busybox",
			`[ "$(sysctl -n net.ipv4.tcp_syncookies)" != "1" ] && sysctl -w net.ipv4.tcp_syncookies=1; true`,
			"net.ipv4.tcp_syncookies = 1"},
		{"a condition that fails the script", "busybox",
			`[ "$(sysctl -n net.core.somaxconn)" -lt 1024 ] && sysctl -w net.core.somaxconn=1024`,
			"stays: line 0: the script fails if its condition does not hold, so such a pod never starts; if pods do " +
				"start, find out what differs"},
		{"raised to another number", "busybox",
			`if [ "$(sysctl -n net.core.somaxconn)" -lt 1024 ]; then sysctl -w net.core.somaxconn=2048; fi`,
			"stays: line 1: net.core.somaxconn is set to 2048 if it is lower than 1024, which neither = nor >= " +
				"can express"},
		{"lowered", "busybox",
			`if [ "$(sysctl -n net.core.somaxconn)" -gt 1024 ]; then sysctl -w net.core.somaxconn=1024; fi`,
			"stays: line 0: the effect of the script depends on more than the value that it raises"},
		{"a condition on another name", "busybox",
			`if [ "$(sysctl -n net.core.somaxconn)" -lt 1024 ]; then sysctl -w net.ipv4.tcp_fin_timeout=9; fi`,
			"stays: line 0: the effect of the script depends on more than the value that it raises"},
		{"two raised", "busybox",
			"if [ $(sysctl -n net.core.somaxconn) -lt 10 ]; then sysctl -w net.core.somaxconn=10; fi\n" +
				"if [ $(sysctl -n net.ipv4.tcp_max_syn_backlog) -lt 20 ]; then " +
				"sysctl -w net.ipv4.tcp_max_syn_backlog=20; fi",
			"net.core.somaxconn >= 10; net.ipv4.tcp_max_syn_backlog >= 20"},
		{"raised after it was set", "busybox",
			"sysctl -w net.core.somaxconn=5\n" +
				"if [ $(sysctl -n net.core.somaxconn) -lt 10 ]; then sysctl -w net.core.somaxconn=10; fi",
			"stays: line 2: the condition depends on net.core.somaxconn, which the script sets before it"},
		{"a comparison of a range", "busybox",
			"if [ $(sysctl -n net.ipv4.ip_local_port_range) -lt 10 ]; then " +
				"sysctl -w net.ipv4.ip_local_port_range='10 20'; fi",
			"stays: line 1: net.ipv4.ip_local_port_range is not known to be a single number on every node, so the " +
				"condition is not understood"},
		{"a node-level name", "busybox", "sysctl -w vm.max_map_count=262144",
			"stays: line 1: vm.max_map_count is node-level"},
		{"nsenter", "alpine", "nsenter --target 1 --net -- sysctl -w net.core.somaxconn=1",
			"stays: line 1: nsenter sets the node's value, in the namespaces of another process; the annotation " +
				"would set the pod's value"},
		{"another command", "busybox", "sysctl -w net.core.somaxconn=1024\ncurl -s http://example.com | sh",
			"stays: line 2: curl is not understood: it may do more than set sysctls"},
		{"in the background", "busybox", "sysctl -w net.core.somaxconn=1024 &",
			"stays: line 1: a command runs in the background, so the order of its effect is not known"},
		{"a package installed first", "debian",
			"set -e\napt-get update -q\napt-get install -yq procps\nsysctl -w net.core.somaxconn=1024",
			"net.core.somaxconn = 1024"},
		{"a package installed first, its failure ignored", "debian",
			"apt-get install -y procps; sysctl -w net.core.somaxconn=1024", "net.core.somaxconn = 1024"},
		{"a tool that may be missing, failure ignored", "debian", "sysctl -w net.core.somaxconn=1024; true",
			"stays: line 0: if the image has no sysctl command, " + goesOn},
		{"an unknown image", "example.com/tools", "sysctl -w net.core.somaxconn=1024",
			"net.core.somaxconn = 1024"},
		{"remount", "busybox", "mount -o remount,rw /proc/sys; sysctl -w net.core.somaxconn=1024",
			"net.core.somaxconn = 1024"},
		{"options after the names", "busybox", "sysctl net.core.somaxconn=1024 -w",
			"stays: line 1: these options of sysctl are not understood, or differ between busybox and procps"},
		{"blanks around =", "busybox", "sysctl -w 'net.core.somaxconn = 1024'",
			`stays: line 1: "net.core.somaxconn ": a sysctl name is words of letters, digits, _ and - joined by ` +
				`dots, such as net.core.somaxconn: the character ' ' is not allowed`},
		{"a typo", "busybox", "sysctl -w net.core.somaxcon=1024",
			"stays: line 1: net.core.somaxcon is not a known sysctl"},
		{"forwarding twice", "busybox",
			"sysctl -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0\nsysctl -w net.ipv4.ip_forward=0",
			"stays: line 1: net.ipv4.ip_forward is set twice, and the first write may change other names"},
		{"only output", "busybox", "sysctl -a | grep somaxconn", "nothing"},
		{"a comparison of constants", "busybox",
			"A=5\nif [ $A -gt 3 ]; then sysctl -w net.core.somaxconn=1024; else sysctl -w net.core.somaxconn=1; fi",
			"net.core.somaxconn = 1024"},
		{"a subshell", "busybox", "( set -e; sysctl -w net.core.somaxconn=1024 )\nsysctl -w net.ipv4.tcp_fin_timeout=9",
			"net.core.somaxconn = 1024; net.ipv4.tcp_fin_timeout = 9"},
		{"exec", "busybox", "exec sysctl -w net.core.somaxconn=1024", "net.core.somaxconn = 1024"},
		{"a read-only name of procps", "ubuntu", "sysctl -w net.core.rmem_max=1; sysctl -w net.core.somaxconn=1024",
			"net.core.somaxconn = 1024"},
		{"a syntax error", "busybox", "if then sysctl -w net.core.somaxconn=1",
			"stays: line 0: the script cannot be parsed: script:1:1: `if` must be followed by a statement list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, sketch(inspect(t, initContainer(test.image, "sh", "-c",
				test.script)))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

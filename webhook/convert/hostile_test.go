package convert

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHostileScripts tests scripts that look simple and are not. A wrong line would set a value that the script does
// not set.
func TestHostileScripts(t *testing.T) {
	const set = "net.core.somaxconn = 1024"
	for _, test := range []struct{ name, image, script, want string }{
		{"a redirection that looks like a comparison", "busybox",
			"if [ 3 < 5 ]; then sysctl -w net.core.somaxconn=1024; fi",
			"stays: the command runs only if the file 5 exists"},
		{"an input file that may be missing", "busybox", "cat < /etc/tuned && sysctl -w net.core.somaxconn=1024",
			"stays: the command runs only if the file /etc/tuned exists"},
		{"bash's own cat", "debian",
			`[ "$(< /proc/sys/net/core/somaxconn)" -ge 1024 ] || sysctl -w net.core.somaxconn=1024`,
			"stays: only bash understands $(< file)"},
		{"an empty command", "busybox", "X=; $X || sysctl -w net.core.somaxconn=1024", "stays: the command is empty"},
		{"a read-only variable", "busybox", "readonly N=1024; N=5; sysctl -w net.core.somaxconn=$N",
			"stays: N is read-only"},
		{"a read-only variable in a loop", "busybox",
			"readonly N=1; for N in 5; do sysctl -w net.core.somaxconn=$N; done", "stays: N is read-only"},
		{"a read-only variable that is set once", "busybox", "readonly N=1024; sysctl -w net.core.somaxconn=$N", set},
		{"an effect that depends on the version of procps", "ubuntu",
			"sysctl -w net.core.somaxconn=1024 && ! sysctl -w net.core.rmem_max=1", "stays: the script fails"},
		{"a test whether a file is writable", "busybox",
			"[ -w /proc/sys/net/core/somaxconn ] && sysctl -w net.core.somaxconn=1024", set},
		{"a test whether a file is writable, and uncertain rights", "example.com/x",
			"if [ -w /proc/sys/net/core/somaxconn ]; then echo 1024 > /proc/sys/net/core/somaxconn; fi", set},
		{"-e with a file", "debian",
			"set -e\necho net.core.netdev_max_backlog=5 > /tmp/a\n" +
				"sysctl -e -p /tmp/a || sysctl -w net.core.somaxconn=1\nsysctl -w net.core.somaxconn=1024", set},
		{"several files", "busybox",
			"echo net.core.somaxconn=1 > /tmp/a; echo net.ipv4.tcp_fin_timeout=9 > /tmp/b; sysctl -p /tmp/a /tmp/b",
			"stays: sysctl -p with several files"},
		{"an old busybox without -q, failure ignored", "busybox:1.28", "sysctl -qw net.core.somaxconn=1024 || true",
			"stays: the sysctl command of this image may be too old"},
		{"an old busybox without -q, failure not ignored", "busybox:1.28", "sysctl -qw net.core.somaxconn=1024", set},
		{"an old alpine and no -w, failure ignored", "alpine:3.6", "sysctl net.core.somaxconn=1024; true",
			"stays: the sysctl command of this image may be too old"},
		{"a recent alpine and no -w", "alpine:3.20", "sysctl net.core.somaxconn=1024; true", set},
		{"a large backlog, failure ignored", "busybox", "sysctl -w net.core.somaxconn=100000 || true",
			"stays: it is not known whether every kernel takes net.core.somaxconn = 100000"},
		{"a hardened image, failure ignored", "cgr.dev/chainguard/busybox",
			"sysctl -w net.core.somaxconn=1024 || true",
			"net.core.somaxconn = 1024"},
		{"another root", "alpine:3.20", "apk add --root /host procps; sysctl -w net.core.somaxconn=1024",
			"stays: apk may install into another root"},
		{"setting the clock", "busybox", "date -s 2020-01-01; sysctl -w net.core.somaxconn=1024",
			"stays: date may set the clock"},
		{"printing the time", "busybox", "date; date +%s; sysctl -w net.core.somaxconn=1024", set},
		{"tail -f", "busybox", "sysctl -w net.core.somaxconn=1024; tail -f /dev/null",
			"stays: tail -f never ends"},
		{"a special builtin whose file is missing", "busybox",
			": > /proc/sys/net/core/netdev_max_backlog; sysctl -w net.core.somaxconn=1024", "stays: shells handle"},
		{"a pattern in a variable", "debian", `P='1*'; if [[ 10 == $P ]]; then sysctl -w net.core.somaxconn=1024; fi`,
			"stays: "},
		{"an exported variable", "busybox", "export N=1024; sysctl -w net.core.somaxconn=$N", set},
		{"an exported variable of two words", "busybox", "A='1 2'; export N=$A; sysctl -w net.core.somaxconn=$N",
			"stays: this export"},
		{"a function", "busybox", "f() { sysctl -w net.core.somaxconn=$1; }\nf 1024",
			"stays: functions are not understood"},
		{"a function named sysctl", "busybox", "sysctl() { :; }\nsysctl -w net.core.somaxconn=1024",
			"stays: functions are not understood"},
		{"an alias", "busybox", "alias s=true\nsysctl -w net.core.somaxconn=1024", "stays: alias is not understood"},
		{"a trap", "busybox", "trap 'sysctl -w net.core.somaxconn=1' EXIT; sysctl -w net.core.somaxconn=1024",
			"stays: trap is not understood"},
		{"eval", "busybox", "eval sysctl -w net.core.somaxconn=1024", "stays: eval runs another script"},
		{"a case", "busybox", "case x in x) sysctl -w net.core.somaxconn=1024;; esac", "stays: a case statement"},
		{"until", "busybox", "until sysctl -w net.core.somaxconn=1024; do sleep 1; done",
			"stays: it is not known how often the loop"},
		{"a change of directory", "busybox", "cd /proc/sys/net/core && echo 1024 > somaxconn",
			"stays: cd is not understood"},
		{"a path with two dots", "busybox", "echo 1024 > /proc/sys/net/ipv4/../core/somaxconn",
			"stays: the script writes /proc/sys/net/ipv4/../core/somaxconn"},
		{"a path through /proc/self", "busybox", "echo 1024 > /proc/self/root/proc/sys/net/core/somaxconn",
			"stays: the script writes /proc/self"},
		{"nested shell", "busybox", `sh -c "sysctl -w net.core.somaxconn=1024"`, "stays: sh runs another script"},
		{"env", "busybox", "env X=1 sysctl -w net.core.somaxconn=1024", "stays: env is not understood"},
		{"sudo", "debian", "sudo sysctl -w net.core.somaxconn=1024", "stays: sudo is not understood"},
		{"timeout", "busybox", "timeout 5 sysctl -w net.core.somaxconn=1024", "stays: timeout is not understood"},
		{"a network namespace", "alpine", "ip netns exec a sysctl -w net.core.somaxconn=1024", "stays: ip does more"},
		{"another root directory", "alpine", "chroot /host sysctl -w net.core.somaxconn=1024",
			"stays: chroot does more"},
		{"--system", "debian", "sysctl --system", "stays: these options"},
		{"-N", "debian", "sysctl -N net.core.somaxconn; sysctl -w net.core.somaxconn=1024", "stays: these options"},
		{"blanks as arguments", "busybox", "sysctl -w net.core.somaxconn = 1024",
			"stays: sysctl -w net.core.somaxconn has no value"},
		{"a value in two words, as in ingress-nginx's own example", "alpine:3.6",
			"sysctl -w net.core.somaxconn=32768; sysctl -w net.ipv4.ip_local_port_range=32767 65535",
			"stays: "},
		{"a condition on another value", "busybox",
			`[ "$(sysctl -n net.core.somaxconn)" = 4096 ] && sysctl -w net.core.somaxconn=1024; true`,
			"stays: net.core.somaxconn is compared with 4096"},
		{"two conditions", "busybox",
			`n=$(sysctl -n net.core.somaxconn); if [ $n -lt 1024 ] && [ $n -gt 10 ]; then ` +
				`sysctl -w net.core.somaxconn=1024; fi`,
			"stays: net.core.somaxconn is compared with more than one value"},
		{"-a in a condition", "busybox", `if [ 1 -eq 1 -a 2 -eq 2 ]; then sysctl -w net.core.somaxconn=1024; fi`,
			"stays: this condition is not understood"},
		{"the last status", "busybox", "sysctl -w net.core.somaxconn=1024; exit $?",
			"stays: the value of $? is not known"},
		{"a positional parameter", "busybox", "set -- 1024; sysctl -w net.core.somaxconn=$1",
			"stays: this set is not understood"},
		{"octal", "busybox", "sysctl -w net.core.somaxconn=$((010))", "stays: this expansion is not understood"},
		{"a length", "busybox", "X=abc; sysctl -w net.core.somaxconn=${#X}", "stays: this expansion is not understood"},
		{"braces", "debian", "sysctl -w net.core.somaxconn={1,2}", "stays: "},
		{"a redirection to two files", "busybox", "echo 1024 > /proc/sys/net/core/somaxconn > /dev/null",
			"stays: the output goes to two files"},
		{"a pipe that fails", "debian", "set -o pipefail; false | sysctl -w net.core.somaxconn=1024", "stays: "},
		{"an assignment in a comment", "busybox",
			"# sysctl -w net.core.somaxconn=1\nsysctl -w net.core.somaxconn=1024 # not 5", set},
		{"a command after exit", "busybox",
			"sysctl -w net.core.somaxconn=1024\nexit 0\nsysctl -w net.core.somaxconn=5", set},
		{"a second write of the same name", "busybox",
			"sysctl -w net.core.somaxconn=1\nsysctl -w net.core.somaxconn=1024", set},
		{"a subshell that exits early", "busybox",
			"( exit 1; sysctl -w net.core.somaxconn=5 ) || sysctl -w net.core.somaxconn=1024", set},
		{"set +e in a subshell", "busybox", "set -e; ( set +e; false; sysctl -w net.core.somaxconn=1024 )", set},
		{"an and-or list under set -e", "busybox",
			"set -e; false && sysctl -w net.core.somaxconn=5; sysctl -w net.core.somaxconn=1024", set},
		{"a here-document with a variable", "busybox",
			"N=1024\ncat <<EOF > /proc/sys/net/core/somaxconn\n$N\nEOF", set},
		{"a here-string", "debian", "tee /proc/sys/net/core/somaxconn <<< 1024", set},
		{"tee to two files", "busybox", "echo 1 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/tcp_syncookies",
			"net.ipv4.ip_forward = 1; net.ipv4.tcp_syncookies = 1"},
		{"the output of a command", "busybox", "nproc > /proc/sys/net/core/somaxconn", "stays: "},
		{"a calculation with the number of processors", "busybox",
			"sysctl -w net.core.somaxconn=$(( $(nproc) * 1024 ))", "stays: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			shell := "sh"
			if strings.Contains(test.name, "bash") || strings.Contains(test.script, "[[") ||
				strings.Contains(test.script, "<<<") || strings.Contains(test.script, "{1,") ||
				strings.Contains(test.script, "pipefail") {
				shell = "bash"
			}
			got := sketch(inspect(t, initContainer(test.image, shell, "-c", test.script)))
			if strings.HasPrefix(got, "stays: ") {
				got = "stays: " + strings.SplitN(got, ": ", 3)[2]
			}
			if want := test.want; strings.HasPrefix(want, "stays: ") && strings.HasPrefix(got, want) {
				return
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

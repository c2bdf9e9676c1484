package templates_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

// scriptCase is a run of a script in busybox, in new network and IPC namespaces.
type scriptCase struct {
	name   string
	before []string // name=value for `sysctl -w`
	args   []string
	output string   // of the script, stdout and stderr
	failed bool     // it exits with 1
	after  []string // name=value with the output of `sysctl -n`
}

const (
	missing  = "this kernel does not have it"
	noWholes = ", which takes whole numbers"
)

func TestSetScript(t *testing.T) {
	const rmem = "net.ipv4.tcp_rmem"
	for _, test := range []scriptCase{
		{
			name:   "raises a lower value",
			before: []string{"net.core.somaxconn=128"},
			args:   []string{"net.core.somaxconn>=4096"},
			output: "net.core.somaxconn = 4096",
			after:  []string{"net.core.somaxconn=4096"},
		},
		{
			name:   "keeps an equal value",
			before: []string{"net.core.somaxconn=4096"},
			args:   []string{"net.core.somaxconn>=4096"},
			output: "net.core.somaxconn = 4096, which is at least 4096",
			after:  []string{"net.core.somaxconn=4096"},
		},
		{
			name:   "keeps a higher value, even if its first digit is lower",
			before: []string{"net.core.somaxconn=10000"},
			args:   []string{"net.core.somaxconn>=9000"},
			output: "net.core.somaxconn = 10000, which is at least 9000",
			after:  []string{"net.core.somaxconn=10000"},
		},
		{
			name:   "writes the higher of each pair",
			before: []string{rmem + "=8192 131072 6291456"},
			args:   []string{rmem + ">=4096 200000 6291456"},
			output: rmem + " = 8192 200000 6291456",
			after:  []string{rmem + "=8192 200000 6291456"},
		},
		{
			name:   "keeps several numbers that are all high enough",
			before: []string{rmem + "=8192\t131072\t6291456"},
			args:   []string{rmem + ">=4096 131072 1"},
			output: rmem + " = 8192 131072 6291456, which is at least 4096 131072 1",
			after:  []string{rmem + "=8192 131072 6291456"},
		},
		{
			name:   "compares numbers near 2^64",
			before: []string{"kernel.shmmax=18446744073709551614"},
			args:   []string{"kernel.shmmax>=18446744073709551615"},
			output: "kernel.shmmax = 18446744073709551615",
			after:  []string{"kernel.shmmax=18446744073709551615"},
		},
		{
			name:   "compares 2^63 with 1",
			before: []string{"kernel.shmmax=9223372036854775808"},
			args:   []string{"kernel.shmmax>=1"},
			output: "kernel.shmmax = 9223372036854775808, which is at least 1",
			after:  []string{"kernel.shmmax=9223372036854775808"},
		},
		{
			name:   "raises a negative number",
			before: []string{"net.ipv4.tcp_adv_win_scale=-10"},
			args:   []string{"net.ipv4.tcp_adv_win_scale>=-9"},
			output: "net.ipv4.tcp_adv_win_scale = -9",
			after:  []string{"net.ipv4.tcp_adv_win_scale=-9"},
		},
		{
			name:   "keeps a higher negative number",
			before: []string{"net.ipv4.tcp_adv_win_scale=-2"},
			args:   []string{"net.ipv4.tcp_adv_win_scale>=-10"},
			output: "net.ipv4.tcp_adv_win_scale = -2, which is at least -10",
			after:  []string{"net.ipv4.tcp_adv_win_scale=-2"},
		},
		{
			name:   "raises a negative number to a positive one",
			before: []string{"net.ipv4.tcp_adv_win_scale=-2"},
			args:   []string{"net.ipv4.tcp_adv_win_scale>=0"},
			output: "net.ipv4.tcp_adv_win_scale = 0",
			after:  []string{"net.ipv4.tcp_adv_win_scale=0"},
		},
		{
			name: "sets plain values too, in order",
			args: []string{
				"net.ipv4.tcp_fin_timeout=30", "kernel.sem=300 32000 100 200",
				"net.ipv4.tcp_fin_timeout>=31",
			},
			output: "net.ipv4.tcp_fin_timeout = 30\nkernel.sem = 300 32000 100 200\nnet.ipv4.tcp_fin_timeout = 31",
			after:  []string{"net.ipv4.tcp_fin_timeout=31", "kernel.sem=300 32000 100 200"},
		},
		{
			name: "sets an interface with a dot in its name, in each spelling that has a slash", args: []string{
				"net.ipv4.conf.veth1/100.arp_announce=1", "net/ipv4/conf/veth1.100/rp_filter=2",
				"net.ipv4.conf.veth1/100.arp_ignore>=1",
			},
			output: "net.ipv4.conf.veth1/100.arp_announce = 1\nnet/ipv4/conf/veth1.100/rp_filter = 2\n" +
				"net.ipv4.conf.veth1/100.arp_ignore = 1",
			after: []string{
				"net/ipv4/conf/veth1.100/arp_announce=1", "net/ipv4/conf/veth1.100/rp_filter=2",
				"net/ipv4/conf/veth1.100/arp_ignore=1",
			},
		},
		{
			name: "skips only a missing optional sysctl", args: []string{
				"-net.sctp.no_such=1", "-net.sctp.no_such>=1", "-net.ipv4.tcp_fin_timeout=29",
				"-net.ipv4.tcp_fin_timeout>=33",
			},
			output: "net.sctp.no_such: left out, " + missing + "\nnet.sctp.no_such: left out, " + missing +
				"\nnet.ipv4.tcp_fin_timeout = 29\nnet.ipv4.tcp_fin_timeout = 33",
			after: []string{"net.ipv4.tcp_fin_timeout=33"},
		},
		{
			name:   "fails if an optional sysctl cannot be set",
			args:   []string{"-net.ipv4.tcp_fin_timeout=soon"},
			failed: true,
			output: "sh: write error: Invalid argument\nnet.ipv4.tcp_fin_timeout: it cannot be set to \"soon\"",
		},
		{
			name:   "reports missing sysctls and continues",
			args:   []string{"net.core.no_such=1", "net.core.no_such>=1", "net.core=1", "net.core.somaxconn=99"},
			failed: true,
			output: "net.core.no_such: " + missing + "\nnet.core.no_such: " + missing + "\n" +
				"net.core: " + missing + "\nnet.core.somaxconn = 99",
			after: []string{"net.core.somaxconn=99"},
		},
		{
			name:   "reports a read-only sysctl, even if it is high enough",
			args:   []string{"net.core.rmem_max>=1"},
			failed: true,
			output: "sysctl-injector: can't create /proc/sys/net/core/rmem_max: Permission denied\n" +
				"net.core.rmem_max: it cannot be written",
		},
		{
			name:   "reports a write-only sysctl",
			args:   []string{"net.ipv4.route.flush>=1"},
			failed: true,
			output: "cat: can't open '/proc/sys/net/ipv4/route/flush': Permission denied\n" +
				"net.ipv4.route.flush: it cannot be read",
		},
		{
			name:   "reports a value that is not a number",
			before: []string{"net.ipv4.tcp_congestion_control=reno"},
			args:   []string{"net.ipv4.tcp_congestion_control>=1"},
			failed: true,
			output: `net.ipv4.tcp_congestion_control: "reno" cannot be compared with "1"` + noWholes,
			after:  []string{"net.ipv4.tcp_congestion_control=reno"},
		},
		{
			name:   "reports a minimum that is not a number",
			args:   []string{"net.core.somaxconn>=1k", "net.core.somaxconn>=0100", "net.core.somaxconn>=-0"},
			failed: true,
			before: []string{"net.core.somaxconn=128"},
			after:  []string{"net.core.somaxconn=128"},
			output: `net.core.somaxconn: "128" cannot be compared with "1k"` + noWholes + "\n" +
				`net.core.somaxconn: "128" cannot be compared with "0100"` + noWholes + "\n" +
				`net.core.somaxconn: "128" cannot be compared with "-0"` + noWholes,
		},
		{
			name:   "reports a different count of numbers",
			before: []string{rmem + "=4096 5000 6000"},
			args:   []string{rmem + ">=9999", rmem + ">=9999 9999 9999 9999"},
			failed: true,
			output: rmem + `: "4096 5000 6000" and "9999" have not as many numbers` + "\n" +
				rmem + `: "4096 5000 6000" and "9999 9999 9999 9999" have not as many numbers`,
			after: []string{rmem + "=4096 5000 6000"},
		},
		{
			name: "reports a value outside the kernel's bounds, and sets the next one",
			args: []string{"net.core.somaxconn=123456789012345678901", "net.ipv4.tcp_fin_timeout=28"}, failed: true,
			output: "sh: write error: Invalid argument\n" +
				`net.core.somaxconn: it cannot be set to "123456789012345678901"` + "\nnet.ipv4.tcp_fin_timeout = 28",
			after: []string{"net.ipv4.tcp_fin_timeout=28"},
		},
		{
			name:   "does not take an option of echo for a value",
			args:   []string{"net.ipv4.tcp_congestion_control=-n"},
			failed: true,
			output: `net.ipv4.tcp_congestion_control: "-n" is no value`,
		},
		{
			name: "sets nothing without arguments",
		},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, templates.SetScript) })
	}
}

// driver prepares the namespaces, runs the script, and prints the values after it.
const driver = `
ip link add veth1.100 type veth peer name veth2 2>/dev/null
while [ "$1" != -- ]; do sysctl -w "$1" >/dev/null || exit 99; shift; done
shift
sh -ec "$SCRIPT" sysctl-injector "$@" 2>&1
echo "exit $?"
for name in $READ; do echo "$name=$(sysctl -n "$name")"; done
`

func (test scriptCase) run(t *testing.T, script string) {
	busybox := needBusybox(t)
	var names []string
	for _, after := range test.after {
		name, _, _ := strings.Cut(after, "=")
		names = append(names, name)
	}
	cmd := exec.Command(busybox,
		append(append(append([]string{"sh", "-c", driver, "driver"}, test.before...), "--"), test.args...)...)
	cmd.Env = append(os.Environ(), "SCRIPT="+script, "READ="+strings.Join(names, " "))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the driver: %v\n%s", err, output)
	}
	want := test.output
	if want != "" {
		want += "\n"
	}
	if test.failed {
		want += "exit 1\n"
	} else {
		want += "exit 0\n"
	}
	for _, after := range test.after {
		want += after + "\n"
	}
	want = strings.ReplaceAll(want, "RELEASE", release(t))
	if diff := cmp.Diff(want, normal(string(output))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// normal removes the line numbers of the script, and replaces the kernel's tabs by spaces.
func normal(output string) string {
	var normal strings.Builder
	for line := range strings.Lines(output) {
		if before, after, found := strings.Cut(line, ": line "); found {
			_, after, _ = strings.Cut(after, ": ")
			line = before + ": " + after
		}
		normal.WriteString(strings.ReplaceAll(line, "\t", " "))
	}
	return normal.String()
}

func release(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

func needBusybox(t testing.TB) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("NOT RUN: namespaces need root")
	}
	path, err := exec.LookPath("busybox")
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("NOT RUN: there is no busybox in PATH; install it (Debian: apt-get install busybox-static)")
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

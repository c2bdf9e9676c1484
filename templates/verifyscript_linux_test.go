package templates_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

func TestVerifyScript(t *testing.T) {
	for _, test := range []scriptCase{
		{
			name:   "prints nothing about values that match",
			before: []string{"net.core.somaxconn=4096", "net.ipv4.tcp_rmem=4096 131072 6291456"},
			args: []string{
				"net.core.somaxconn=4096", "net.core.somaxconn>=1",
				"net.ipv4.tcp_rmem=4096 131072 6291456", "net.ipv4.tcp_rmem>=4096 1 1", "-net.sctp.no_such=1",
			},
			output: "net.sctp.no_such: left out, " + missing,
		},
		{
			name: "reports each value that differs, with the wanted value", failed: true,
			before: []string{"net.core.somaxconn=4096", "net.ipv4.tcp_rmem=4096 131072 6291456"},
			args: []string{
				"net.core.somaxconn=1", "net.core.somaxconn>=5000", "net.core.somaxconn>=4095",
				"net.ipv4.tcp_rmem>=4096 131073 1",
			},
			output: `net.core.somaxconn: found "4096", wanted "1"` + "\n" +
				`net.core.somaxconn: found "4096", wanted at least "5000"` + "\n" +
				`net.ipv4.tcp_rmem: found "4096 131072 6291456", wanted at least "4096 131073 1"`,
			after: []string{"net.core.somaxconn=4096", "net.ipv4.tcp_rmem=4096 131072 6291456"},
		},
		{
			name:   "reports values that cannot be read or compared",
			failed: true,
			before: []string{"net.ipv4.tcp_congestion_control=reno"},
			args: []string{
				"net.core.no_such>=1", "net.ipv4.route.flush=1", "net.ipv4.tcp_congestion_control>=1",
				"kernel.sem>=1",
			},
			output: "net.core.no_such: " + missing + `, wanted >= "1"` + "\n" +
				"cat: can't open '/proc/sys/net/ipv4/route/flush': Permission denied\n" +
				`net.ipv4.route.flush: it cannot be read, wanted = "1"` + "\n" +
				`net.ipv4.tcp_congestion_control: "reno" cannot be compared with "1"` + noWholes + "\n" +
				`kernel.sem: "32000 1024000000 500 32000" and "1" have not as many numbers`,
		},
		{
			name: "reads a read-only sysctl", args: []string{"kernel.osrelease=0"}, failed: true,
			output: `kernel.osrelease: found "RELEASE", wanted "0"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, templates.VerifyScript) })
	}
}

// TestVerifyScriptNeedsNoPrivilege reads node-level values as the user nobody, which may not write them.
func TestVerifyScriptNeedsNoPrivilege(t *testing.T) {
	busybox := needBusybox(t)
	cmd := exec.Command(busybox, "sh", "-ec", templates.VerifyScript, "sysctl-injector", "vm.max_map_count>=1",
		"kernel.pid_max>=1", "vm.max_map_count>=18446744073709551615")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	output, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if err == nil || len(lines) != 1 || !strings.HasPrefix(lines[0], "vm.max_map_count: found ") {
		t.Errorf("%v\n%s", err, output)
	}
}

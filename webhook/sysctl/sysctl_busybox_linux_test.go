package sysctl

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBusyboxSetsRenderedAssignments runs `busybox sysctl -w` with the arguments of the container in new network and
// IPC namespaces, and reads every value back with a second command.
func TestBusyboxSetsRenderedAssignments(t *testing.T) {
	busybox := needBusybox(t)
	const text = `
		net.core.somaxconn = 32768
		net.ipv4.ip_local_port_range = 32768 65535
		net/ipv4/tcp_fin_timeout = 30
		net.ipv4.tcp_rmem = 4096	131072   6291456
		net.ipv4.ping_group_range = 0 2147483647
		net.ipv4.ip_local_reserved_ports = 8080,9148-9150
		net.ipv4.conf.lo.arp_announce = 2
		kernel.sem = 10000   1024000000  500 32000
		kernel.msgmax = 65536
		kernel.shm_rmid_forced = 1
		fs.mqueue.msg_max = 100
	`
	assignments, problems := Parse(text, annotation)
	if len(problems) > 0 {
		t.Fatal(problems.ToAggregate())
	}
	before := map[string]string{}
	args := []string{"sysctl", "-w"}
	for _, a := range assignments {
		before[a.Name] = read(t, procPath(a))
		args = append(args, a.String())
	}
	var readBack []string
	// Both commands are children of the same thread, so they are in the same namespaces.
	within(t, syscall.CLONE_NEWNET|syscall.CLONE_NEWIPC, func() error {
		if output, err := exec.Command(busybox, args...).CombinedOutput(); err != nil {
			t.Errorf("busybox %q: %v\n%s", args, err, output)
		}
		for _, a := range assignments {
			output, err := exec.Command(busybox, "sysctl", "-n", a.Name).Output()
			if err != nil {
				return err
			}
			readBack = append(readBack, strings.Join(strings.Fields(string(output)), " "))
		}
		return nil
	})
	for i, a := range assignments {
		if readBack[i] != a.Value {
			t.Errorf("%s reads %q, want %q", a.Name, readBack[i], a.Value)
		}
		if now := read(t, procPath(a)); now != before[a.Name] {
			t.Errorf("%s changed from %q to %q outside the new namespaces", a.Name, before[a.Name], now)
		}
	}
}

// TestBusyboxLeavesProcSys shows why names are checked: busybox follows ".." out of /proc/sys and writes an existing
// file. If a busybox does not, the test only logs it.
func TestBusyboxLeavesProcSys(t *testing.T) {
	busybox := needBusybox(t)
	target := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	name := "kernel/../../.." + target
	for _, spelling := range []string{name, strings.ReplaceAll(name, "/", ".")} {
		if _, err := ParseName(spelling); err == nil {
			t.Errorf("ParseName accepts %q", spelling)
		}
	}
	output, err := exec.Command(busybox, "sysctl", "-w", name+"=written").CombinedOutput()
	if read(t, target) != "written" {
		t.Logf("this busybox does not write outside /proc/sys: %v %s", err, output)
	}
}

func procPath(a Assignment) string {
	return "/proc/sys/" + Path(a.Name)
}

func needBusybox(t *testing.T) string {
	t.Helper()
	needRoot(t)
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("NOT RUN: there is no busybox in PATH; install it (Debian: apt-get install busybox-static)")
	}
	return path
}

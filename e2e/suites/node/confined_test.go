package node_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// A seccomp profile that forbids opening a file with O_TRUNC, as `sysctl -w` does. The app does not need it.
const noWriting = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
	{"names": ["open", "openat", "openat2"], "action": "SCMP_ACT_ERRNO",
	"args": [{"index": 2, "value": 512, "valueTwo": 512, "op": "SCMP_CMP_MASKED_EQ"}]}]}`

// A pod's security settings apply to the app, and do not stop the injected container.
func TestSysctlsInAConfinedPod(t *testing.T) {
	t.Parallel()
	security := func(change func(*corev1.PodSecurityContext)) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { change(pod.Spec.SecurityContext) }
	}
	for _, test := range []struct {
		name, standard string
		tweak          func(*corev1.Pod)
		check          []string // a program inside the app, and what it prints
		want           string
	}{
		{"a group", "restricted", security(func(s *corev1.PodSecurityContext) {
			s.RunAsGroup = ptr.To(int64(3000))
		}), []string{"id", "-g"}, "3000"},
		{"groups of its files and processes, and none of the image's", "restricted",
			security(func(s *corev1.PodSecurityContext) {
				s.RunAsGroup, s.FSGroup, s.SupplementalGroups = ptr.To(int64(3000)), ptr.To(int64(4000)), []int64{5000}
				s.FSGroupChangePolicy = ptr.To(corev1.FSGroupChangeOnRootMismatch)
				s.SupplementalGroupsPolicy = ptr.To(corev1.SupplementalGroupsPolicyStrict)
			}), []string{"id", "-G"}, "3000 4000 5000"},
		{"a seccomp profile of the node's", "restricted", security(func(s *corev1.PodSecurityContext) {
			s.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost,
				LocalhostProfile: ptr.To("no-writing.json")}
		}), []string{"sh", "-c", "(: >/dev/null) 2>&1 | grep -o 'not permitted'"}, "not permitted"},
		{"an SELinux level", "restricted", security(func(s *corev1.PodSecurityContext) {
			s.SELinuxOptions = &corev1.SELinuxOptions{Level: "s0:c123,c456"}
		}), []string{"id", "-u"}, "1000"},
		{"the same value set natively", "restricted", security(func(s *corev1.PodSecurityContext) {
			s.Sysctls = []corev1.Sysctl{{Name: "net.ipv4.ip_local_port_range", Value: "40000 50000"}}
		}), []string{"cat", "/proc/sys/net/ipv4/ip_local_port_range"}, "40000\t50000"},
		{"one process namespace for all containers", "restricted", func(pod *corev1.Pod) {
			pod.Spec.ShareProcessNamespace = ptr.To(true)
		}, []string{"sh", "-c", "cmp -s /proc/1/cgroup /proc/self/cgroup || echo shared"}, "shared"},
		{"the node's process namespace", "privileged", func(pod *corev1.Pod) { pod.Spec.HostPID = true },
			[]string{"sh", "-c", "test -d /proc/1 && id -u"}, "1000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, guardedAt(test.standard))
			onNode(t, "sh", "-c", `mkdir -p /var/lib/kubelet/seccomp && echo "$1" `+
				`>/var/lib/kubelet/seccomp/no-writing.json`, "sh", noWriting)
			keepsHost(t, "net.core.somaxconn", "net.ipv4.ip_local_port_range")
			pod := run(t, namespace, newPod("confined",
				"net.core.somaxconn = 2048\nnet.ipv4.ip_local_port_range = 40000 50000", test.tweak))
			wantValues(t, pod, app, "net.core.somaxconn = 2048", "net.ipv4.ip_local_port_range = 40000 50000")
			output, err := inside(t, pod, app, test.check...)
			if lines := strings.Split(output, "\n"); err != nil || lines[len(lines)-1] != test.want {
				t.Errorf("inside the app, %q prints %q (%v), want %q", test.check, output, err, test.want)
			}
		})
	}
}

// An AppArmor profile that forbids writing below /proc/sys, as nearly every profile does.
const noSysctls = `profile sysctl-injector-e2e flags=(attach_disconnected,mediate_deleted) {
  file,
  network,
  capability,
  signal,
  deny /proc/sys/** w,
}`

func TestSysctlsUnderAnAppArmorProfile(t *testing.T) {
	t.Parallel()
	enabled, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	if parser, err := exec.LookPath("apparmor_parser"); strings.TrimSpace(string(enabled)) != "Y" || err != nil {
		t.Skipf("NOT RUN: this kernel has no AppArmor, or the machine has no apparmor_parser (%q), so nothing here "+
			"shows that a pod's "+
			"Localhost profile leaves the injected container alone", parser)
	}
	namespace := makeNamespace(t, enrolled())
	onNode(t, "sh", "-c", `echo "$1" | apparmor_parser --replace`, "sh", noSysctls)
	pod := run(t, namespace, newPod("profiled", "net.core.somaxconn = 2048", func(pod *corev1.Pod) {
		pod.Spec.SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{
			Type: corev1.AppArmorProfileTypeLocalhost, LocalhostProfile: ptr.To("sysctl-injector-e2e"),
		}
	}))
	wantValues(t, pod, app, "net.core.somaxconn = 2048")
}

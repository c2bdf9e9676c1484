package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

var (
	sysctlsPath  = field.NewPath("metadata", "annotations").Key(v1alpha1.SysctlsAnnotation)
	profilesPath = field.NewPath("metadata", "annotations").Key(v1alpha1.ProfilesAnnotation)
)

const (
	atSysctls  = "metadata.annotations[sysctl-injector.dev/sysctls]: "
	atProfiles = "metadata.annotations[sysctl-injector.dev/profiles]: "
)

// violation is a Violation as a test compares it.
type violation struct{ Reason, Message string }

func compare(t *testing.T, got []Violation, want []violation) {
	t.Helper()
	var found []violation
	for _, r := range got {
		found = append(found, violation{r.Reason, r.Err.Error()})
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}

// ordinary is a pod as most are, on the node's kernel and with namespaces of its own.
func ordinary() Facts {
	return Facts{Namespace: "shop", NamespaceLabels: map[string]string{"team": "a"}, ServiceAccount: "web",
		Kernel: v1alpha1.SharedKernel}
}

// asks returns the settings of a pod's own lines.
func asks(tb testing.TB, lines string) []Setting {
	tb.Helper()
	settings, errs := NewSet(nil, nil).Settings(Request{Sysctls: &lines, SysctlsPath: sysctlsPath})
	if len(errs) > 0 {
		tb.Fatal(errs.ToAggregate())
	}
	return settings
}

// everything allows every name on every kernel, so that only the rules are left to reject one.
func everything(t *testing.T) *Set {
	t.Helper()
	return NewSet([]*Policy{compiled(t, "everything", v1alpha1.AllowRule{Names: []string{"*"}})}, nil)
}

const noClass = "is node-level: it would change the node and every pod on it. An administrator can set it on " +
	"the node, or the pod can run under a RuntimeClass that gives it a kernel of its own (Kata Containers, for one)"

func TestRules(t *testing.T) {
	guest := func(f *Facts) { f.Kernel = v1alpha1.GuestKernel }
	for _, test := range []struct {
		name  string
		tweak func(*Facts)
		lines string
		want  []violation
	}{
		{"allows net.* in the pod's own network namespace", nil, "net.core.somaxconn = 512", nil},
		{"allows an IPC name in the pod's own IPC namespace", nil, "kernel.sem = 10000 1024000000 500 32000", nil},
		{"allows nothing asked for", nil, "", nil},

		{"rejects what runs code on a shared kernel, with a message of its own", nil, "kernel.core_pattern = core",
			[]violation{
				{"NeverOnSharedKernel", atSysctls + "Forbidden: line 1: kernel.core_pattern is never set on a kernel " +
					"that other pods share, whatever a policy says: " +
					"it names a program that the node runs as root at every crash"},
			}},
		{"rejects what stops a shared kernel, by a pattern of the catalogue", nil, "kernel.panic_on_oops = 1",
			[]violation{
				{"NeverOnSharedKernel",
					atSysctls + "Forbidden: line 1: kernel.panic_on_oops is never set on a kernel that other pods " +
						"share, whatever a policy says: it decides when the node panics, and whether it reboots then"},
			}},
		{"allows what runs code in a guest kernel, which is the pod's own", guest, "kernel.core_pattern = core", nil},

		{"rejects a name that Linux removed", nil, "net.ipv4.tcp_tw_recycle = 1", []violation{
			{"RemovedSysctl", atSysctls + "Forbidden: line 1: net.ipv4.tcp_tw_recycle does not exist since Linux " +
				"4.12: remove it"},
		}},
		{"rejects a name that Linux renamed, with the new name", nil,
			"net.ipv4.netfilter.ip_conntrack_tcp_timeout_established = 600", []violation{
				{"RemovedSysctl", atSysctls +
					"Forbidden: line 1: net.ipv4.netfilter.ip_conntrack_tcp_timeout_established does not exist in " +
					"Linux 4.19 or later (Linux 3.10 had it): use net.netfilter.nf_conntrack_tcp_timeout_established"},
			}},
		{"allows a name that only newer kernels lack", nil, "net.netfilter.nf_conntrack_helper = 1", nil},
		{"rejects a value that no supported kernel takes", nil, "net.core.somaxconn = -1", []violation{
			{"InvalidValue", atSysctls + "Forbidden: line 1: net.core.somaxconn takes 0 to 2147483647: the kernel " +
				"rejects -1"},
		}},
		{"rejects a value that is no number", nil, "net.core.somaxconn = 4k", []violation{
			{"InvalidValue", atSysctls + `Forbidden: line 1: net.core.somaxconn takes whole numbers, not "4k"`},
		}},
		{"allows a value that some supported kernel takes", nil, "net.ipv4.tcp_syncookies = 300", nil},
		{"leaves values to a guest kernel, which may be no Linux", guest, "net.core.somaxconn = -1", nil},

		{"rejects a node-level name on a shared kernel", nil, "vm.max_map_count = 262144", []violation{
			{"NodeLevel", atSysctls + "Forbidden: line 1: vm.max_map_count " + noClass},
		}},
		{"rejects kernel.sem_next_id, which only looks like an IPC name", nil, "kernel.sem_next_id = 1", []violation{
			{"NodeLevel", atSysctls + "Forbidden: line 1: kernel.sem_next_id " + noClass},
		}},
		{"says of a node-level name that the RuntimeClass does not exist", func(f *Facts) { f.RuntimeClass = "kata" },
			"vm.swappiness = 1", []violation{
				{"NodeLevel",
					atSysctls + `Forbidden: line 1: vm.swappiness is node-level: it would change the node and every ` +
						`pod on it. The pod's RuntimeClass "kata" does not exist; an administrator can set it on the ` +
						`node, or the pod can run under a RuntimeClass that gives it a kernel of its own (Kata ` +
						`Containers, for one)`},
			}},
		{"says of a node-level name why the RuntimeClass is no guest's",
			func(f *Facts) { f.RuntimeClass, f.Handler = "kata-qemu", "runc" }, "vm.swappiness = 1", []violation{
				{"NodeLevel",
					atSysctls + `Forbidden: line 1: vm.swappiness is node-level: it would change the node and every ` +
						`pod on it. The pod's RuntimeClass "kata-qemu" is not known to give its pods a kernel of ` +
						`their own: its handler "runc" is not among --guest-handlers, and it has no label ` +
						`sysctl-injector.dev/kernel=guest; an administrator can set it on the node, or the pod can ` +
						`run under a RuntimeClass that gives it a kernel of its own (Kata Containers, for one)`},
			}},
		{"rejects a node-level name where the kernel is not known", func(f *Facts) { f.Kernel = "" },
			"vm.swappiness = 1", []violation{
				{"NodeLevel", atSysctls + "Forbidden: line 1: vm.swappiness " + noClass},
			}},
		{"allows a node-level name in a guest kernel", guest, "vm.max_map_count = 262144", nil},

		{"rejects net.* on the host network", func(f *Facts) { f.HostNetwork = true }, "net.core.somaxconn = 512",
			[]violation{
				{"HostNetwork", atSysctls + "Forbidden: line 1: net.core.somaxconn would change the node: the pod " +
					"shares the node's network namespace (hostNetwork: true); remove hostNetwork, or the sysctl"},
			}},
		{"tells the host network before what no pod's network has", func(f *Facts) { f.HostNetwork = true },
			"net.ipv4.tcp_mem = 1 2 3", []violation{
				{"HostNetwork", atSysctls + "Forbidden: line 1: net.ipv4.tcp_mem would change the node: the pod " +
					"shares the node's network namespace (hostNetwork: true); remove hostNetwork, or the sysctl"},
			}},
		{"allows IPC names on the host network", func(f *Facts) { f.HostNetwork = true },
			"fs.mqueue.msg_max = 20", nil},
		{"allows net.* on the host network in a guest kernel", func(f *Facts) { guest(f); f.HostNetwork = true },
			"net.core.somaxconn = 512", nil},

		{"rejects an IPC name in the host's IPC namespace", func(f *Facts) { f.HostIPC = true },
			"kernel.shmmax = 65536", []violation{
				{"HostIPC", atSysctls + "Forbidden: line 1: kernel.shmmax would change the node: the pod shares the " +
					"node's IPC namespace (hostIPC: true); remove hostIPC, or the sysctl"},
			}},
		{"allows net.* in the host's IPC namespace", func(f *Facts) { f.HostIPC = true },
			"net.core.somaxconn = 512", nil},
		{"allows IPC names in the host's IPC namespace in a guest kernel",
			func(f *Facts) { guest(f); f.HostIPC = true }, "kernel.shmmax = 65536", nil},

		{"rejects what a pod's network namespace does not have", nil, "net.core.netdev_max_backlog = 5000", []violation{
			{"HostOnly",
				atSysctls + "Forbidden: line 1: net.core.netdev_max_backlog belongs to the node: " +
					"a pod's own network namespace does not have it; remove it from the pod, and leave it to the " +
					"node's administrator"},
		}},
		{"rejects what is read-only everywhere", nil, "net.ipv4.tcp_available_congestion_control = bbr", []violation{
			{"HostOnly", atSysctls + "Forbidden: line 1: net.ipv4.tcp_available_congestion_control cannot be set: it " +
				"is read-only on every node; remove it from the pod, and leave it to the node's administrator"},
		}},
		{"rejects what no kernel lets be written", nil, "net.ipv6.conf.all.stable_secret = 2001:db8::1", []violation{
			{"HostOnly", atSysctls + "Forbidden: line 1: net.ipv6.conf.all.stable_secret cannot be set: every kernel " +
				"rejects it, and takes net.ipv6.conf.default.stable_secret instead; remove it from the pod, and " +
				"leave it to the node's administrator"},
		}},
		{"allows the secret of new interfaces, and of one", nil,
			"net.ipv6.conf.default.stable_secret = 2001:db8::1\nnet.ipv6.conf.eth0.stable_secret = 2001:db8::1", nil},
		{"allows in a guest kernel what only the first network namespace has", guest,
			"net.core.netdev_max_backlog = 5000", nil},

		{
			"tells several problems at once, in the order of the lines",
			func(f *Facts) { f.HostNetwork, f.HostIPC = true, true },
			"# a comment counts as a line\nvm.swappiness = 1\nkernel.sem = 1 2 3 4\n\nnet.core.somaxconn = " +
				"512\nkernel.sysrq = 1",
			[]violation{
				{"NodeLevel", atSysctls + "Forbidden: line 2: vm.swappiness " + noClass},
				{"HostIPC", atSysctls + "Forbidden: line 3: kernel.sem would change the node: the pod shares the " +
					"node's IPC namespace (hostIPC: true); remove hostIPC, or the sysctl"},
				{"HostNetwork", atSysctls + "Forbidden: line 5: net.core.somaxconn would change the node: the pod " +
					"shares the node's network namespace (hostNetwork: true); remove hostNetwork, or the sysctl"},
				{"NeverOnSharedKernel", atSysctls + "Forbidden: line 6: kernel.sysrq is never set on a kernel that " +
					"other pods share, whatever a policy says: it enables the keys that crash, reboot or debug the " +
					"node"},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			facts := ordinary()
			if test.tweak != nil {
				test.tweak(&facts)
			}
			var settings []Setting
			if test.lines != "" {
				settings = asks(t, test.lines)
			}
			compare(t, everything(t).Evaluate(facts, settings, nil), test.want)
		})
	}
}

func TestCheckOfOneSysctlWithoutAPod(t *testing.T) {
	if reason, message := Check(Facts{Kernel: v1alpha1.SharedKernel},
		sysctl.Lookup("vm.swappiness")); reason != "NodeLevel" || message != noClass {
		t.Errorf("vm.swappiness: %q, %q", reason, message)
	}
	if reason, message := Check(Facts{Kernel: v1alpha1.SharedKernel},
		sysctl.Lookup("net.core.somaxconn")); reason != "" || message != "" {
		t.Errorf("net.core.somaxconn: %q, %q", reason, message)
	}
}

func TestEveryRuleHasAReasonOfItsOwn(t *testing.T) {
	seen := map[string]bool{ReasonInvalidAnnotation: true, ReasonNoPolicy: true, ReasonNotAllowed: true,
		ReasonUnknownSysctl: true, ReasonInvalidValue: true}
	var reasons []string
	for _, r := range rules {
		reasons = append(reasons, r.Reason)
	}
	for _, reason := range reasons {
		if reason == "" || seen[reason] {
			t.Errorf("reason %q is empty or there twice", reason)
		}
		seen[reason] = true
	}
}

package sysctl

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	upstream "k8s.io/component-helpers/node/util/sysctl"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func TestLookup(t *testing.T) {
	for _, test := range []struct {
		name string
		want Entry
	}{
		{"net.core.somaxconn", Entry{Scope: Network}},
		{"net.ipv4.tcp_rmem", Entry{Scope: Network, NamespacedSince: "4.15", SafeSince: "1.32"}},
		{"net.ipv4.tcp_slow_start_after_idle", Entry{Scope: Network, NamespacedSince: "4.15", SafeSince: "1.37"}},
		{"net.ipv4.tcp_notsent_lowat", Entry{Scope: Network, NamespacedSince: "4.6", SafeSince: "1.37"}},
		{"kernel.shm_rmid_forced", Entry{Scope: IPC, SafeSince: "1.4"}},
		{"net.core.netdev_max_backlog", Entry{Scope: Network, HostOnly: &Note{
			"belongs to the node: a pod's own network namespace does not have it",
			"compared on Linux 6.18.44; Linux net/core/sysctl_net_core.c", Absent,
		}}},
		{"net.core.rmem_max", Entry{Scope: Network, HostOnly: &Note{
			"belongs to the node: it is read-only in a pod's own network namespace",
			"compared on Linux 6.18.44; Linux net/core/sysctl_net_core.c", ReadOnly,
		}}},
		{"net.ipv4.neigh.default.gc_thresh3", Entry{Scope: Network, HostOnly: &Note{
			"belongs to the node: a pod's own network namespace does not have it",
			"compared on Linux 6.18.44; Linux net/core/neighbour.c", Absent,
		}}},
		{"net.ipv4.neigh.eth0.gc_stale_time", Entry{Scope: Network}},
		{"net.netfilter.nf_hooks_lwtunnel", Entry{Scope: Network, HostOnly: &Note{
			"is not isolated: writing it in a pod changes the whole node until it reboots",
			"Linux net/netfilter/nf_hooks_lwtunnel.c", Shared,
		}}},
		{"net.ipv6.conf.all.stable_secret", Entry{Scope: Network, HostOnly: &Note{
			"cannot be set: every kernel rejects it, and takes net.ipv6.conf.default.stable_secret instead",
			"Linux Documentation/networking/ip-sysctl.rst (stable_secret)", Rejected,
		}}},
		{"net.ipv6.conf.default.stable_secret", Entry{Scope: Network}},
		{"net.ipv6.conf.eth0.stable_secret", Entry{Scope: Network}},
		{"kernel.core_pattern", Entry{Scope: Node, Forbidden: &Note{
			"names a program that the node runs as root at every crash",
			"Linux Documentation/admin-guide/sysctl/kernel.rst", 0,
		}}},
		{"kernel.panic_on_oops", Entry{Scope: Node, Forbidden: &Note{
			"decides when the node panics, and whether it reboots then",
			"Linux Documentation/admin-guide/sysctl/kernel.rst", 0,
		}}},
		{"fs.binfmt_misc.register", Entry{Scope: Node, Forbidden: &Note{
			"makes the node run an arbitrary interpreter for other pods' programs",
			"Linux Documentation/admin-guide/binfmt-misc.rst", 0,
		}}},
		{"vm.max_map_count", Entry{Scope: Node}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.want.Name = test.name
			if diff := cmp.Diff(test.want, Lookup(test.name)); diff != "" {
				t.Errorf("entry (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLookupMarksNodeNamesHostOnly(t *testing.T) {
	for _, name := range []string{
		"net.core.netdev_max_backlog", "net.core.default_qdisc", "net.ipv4.tcp_mem", "net.nf_conntrack_max",
		"net.netfilter.nf_conntrack_max", "net.tipc.tipc_rmem",
	} {
		if Lookup(name).HostOnly == nil {
			t.Errorf("%s can be set in a pod", name)
		}
	}
}

func TestLookupForbidsDangerousNames(t *testing.T) {
	for _, name := range []string{
		"kernel.core_pattern", "kernel.modprobe", "kernel.hotplug", "kernel.sysrq", "kernel.poweroff_cmd",
		"kernel.panic", "kernel.panic_on_warn",
		"fs.binfmt_misc.status", "kernel.modules_disabled", "kernel.kexec_load_disabled",
		"kernel.kexec_load_limit_panic", "kernel.usermodehelper.bset",
	} {
		if Lookup(name).Forbidden == nil {
			t.Errorf("%s is not forbidden", name)
		}
	}
}

func TestLookupReturnsCopies(t *testing.T) {
	Lookup("kernel.sysrq").Forbidden.Reason = "changed"
	if got := Lookup("kernel.sysrq").Forbidden.Reason; got == "changed" {
		t.Error("a caller can change the catalogue")
	}
}

func TestTablesAreConsistent(t *testing.T) {
	linux, kubernetes := regexp.MustCompile(`^\d+\.\d+$`), regexp.MustCompile(`^1\.\d+$`)
	entries := slices.Collect(Known())
	if !slices.IsSortedFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("Known is not sorted")
	}
	for _, e := range entries {
		if name, err := ParseName(e.Name); err != nil || name != e.Name {
			t.Errorf("%q is not a name in dot form: %v", e.Name, err)
		}
		if e.SafeSince != "" && (e.HostOnly != nil || e.Forbidden != nil || e.Scope == Node) {
			t.Errorf("%s is both safe and rejected", e.Name)
		}
		if e.NamespacedSince != "" && (e.HostOnly != nil || e.Scope != Network) {
			t.Errorf("%s is namespaced since Linux %s, but cannot be set", e.Name, e.NamespacedSince)
		}
		if e.NamespacedSince != "" && !linux.MatchString(e.NamespacedSince) || e.SafeSince != "" &&
			!kubernetes.MatchString(e.SafeSince) {
			t.Errorf("%s has the release %q, %q", e.Name, e.NamespacedSince, e.SafeSince)
		}
		if e.Forbidden != nil && e.Scope != Node {
			t.Errorf("%s is forbidden for a shared kernel, but namespaced", e.Name)
		}
	}
	for _, r := range slices.Concat(observedHostOnly(), readHostOnly) {
		if reasons[r.state] == "" || r.source == "" {
			t.Errorf("%s has no reason or no source", r.names)
		}
	}
	for _, r := range neverShared {
		if r.reason == "" || r.source == "" {
			t.Errorf("%s has no reason or no source", r.names)
		}
		if ScopeOf(strings.TrimSuffix(r.names, "*")) != Node {
			t.Errorf("%s is forbidden for a shared kernel, but namespaced", r.names)
		}
	}
	for _, table := range [][]release{safeSince, namespacedSince} {
		named := map[string]bool{}
		for _, r := range table {
			if r.source == "" {
				t.Errorf("release %s has no source", r.version)
			}
			for _, name := range r.names {
				if named[name] {
					t.Errorf("%s has two releases", name)
				}
				named[name] = true
			}
		}
	}
}

// TestSafeSinceAgreesWithPodSecurityAdmission evaluates a pod with each known name in Pod Security admission, release
// by release. Pod Security admission exists since Kubernetes 1.22, so it does not distinguish earlier releases.
func TestSafeSinceAgreesWithPodSecurityAdmission(t *testing.T) {
	const oldest, newest = 22, 37 // newest is the release of the module in go.mod
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for minor := oldest; minor <= newest; minor++ {
		baseline := api.LevelVersion{Level: api.LevelBaseline, Version: api.MajorMinorVersion(1, minor)}
		for e := range Known() {
			pod := &corev1.PodSpec{SecurityContext: &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: e.Name,
				Value: "1"}}}}
			verdict := policy.AggregateCheckResults(evaluator.EvaluatePod(baseline, &metav1.ObjectMeta{}, pod))
			if want := safeIn(e, minor); verdict.Allowed != want {
				t.Errorf("%s in 1.%d: safe is %t for Pod Security admission, and %t in the catalogue", e.Name, minor,
					verdict.Allowed, want)
			}
		}
	}
	if safe := slices.DeleteFunc(slices.Collect(Known()),
		func(e Entry) bool { return e.SafeSince == "" }); len(safe) != 14 {
		t.Errorf("%d safe names, but Kubernetes 1.%d has 14", len(safe), newest)
	}
}

func safeIn(e Entry, minor int) bool {
	var since int
	if _, err := fmt.Sscanf(e.SafeSince, "1.%d", &since); err != nil {
		return false
	}
	return since <= minor
}

// TestScopeAgreesWithKubernetes compares ScopeOf with the kubelet's table.
func TestScopeAgreesWithKubernetes(t *testing.T) {
	names := []string{
		"kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.msgmax", "kernel.msgmnb",
		"kernel.msgmni", "fs.mqueue.msg_max",
		"vm.max_map_count", "kernel.pid_max", "fs.file-max", "net.core.somaxconn",
	}
	for e := range Known() {
		names = append(names, e.Name)
	}
	scopes := map[upstream.Namespace]Scope{upstream.NetNamespace: Network, upstream.IPCNamespace: IPC,
		upstream.UnknownNamespace: Node}
	for _, name := range names {
		namespace, _, _ := upstream.GetNamespace(name)
		if got, want := ScopeOf(name), scopes[namespace]; got != want {
			t.Errorf("scope of %s is %s, but %s in Kubernetes", name, got, want)
		}
	}
}

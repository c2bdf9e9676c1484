package sysctl

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	const extra = `takes one number: the kernel ignores the rest of "1 2"`
	for _, test := range []struct {
		line             string
		problem, warning string
	}{
		{"net.core.somaxconn = 4096", "", ""},
		{"net.core.somaxconn = 0x1000", "", ""},
		{"net.core.somaxconn = 010", "", ""},
		{"net.core.somaxconn = 08", `takes whole numbers, not "08"`, ""},
		{"net.core.somaxconn = +1", `takes whole numbers, not "+1"`, ""},
		{"net.core.somaxconn = 1 2", "", extra},
		{"net.core.somaxconn = 2147483648", "takes 0 to 2147483647: the kernel rejects 2147483648", ""},
		{"net.core.somaxconn >= -1", "", ""},
		{"net.core.somaxconn >= 2147483648", "takes 0 to 2147483647: the kernel rejects 2147483648", ""},
		{"net.ipv4.tcp_rmem = 4096 87380 99999999999",
			"takes 1 to 2147483647 at most: every kernel rejects 99999999999", ""},
		{"net.ipv4.tcp_rmem = 4096", "", ""},
		{"net.ipv4.tcp_syncookies = 256", "",
			"takes 0 to 255 on Linux 5.10 and later: there, the pod will not start with 256"},
		{"net.ipv4.ip_local_port_range = 61000 32768", "takes the lower port first", ""},
		{"net.ipv4.ip_local_port_range = 1024 70000", "takes 1 to 65535: the kernel rejects 70000", ""},
		{"net.ipv4.ip_local_port_range = 10 65535", "",
			"takes no port below net.ipv4.ip_unprivileged_port_start, which is 1024 in a new pod: " +
				"unless you lower that one first, the pod will not start"},
		{"net.ipv4.ip_unprivileged_port_start = 40000", "",
			"takes 0 to 32768 in a new pod, where another sysctl sets the bounds: " +
				"unless you set that one first, the pod will not start with 40000"},
		{"net.ipv4.ip_local_reserved_ports = 8080,9148-9150", "", ""},
		{"net.ipv4.ip_local_reserved_ports = 8080,99999",
			`takes numbers from 0 to 65535 and ranges of them, joined by commas: "99999" is neither`, ""},
		{"net.ipv4.tcp_fin_timeout = 15", "", ""},
		{"net.ipv4.tcp_fin_timeout = 99999999", "takes -21474836 to 21474836 seconds: the kernel rejects 99999999", ""},
		{"net.ipv4.tcp_fin_timeout = 9999999", "",
			"has a lower maximum on a kernel with a higher tick rate (CONFIG_HZ): " +
				"there, the pod will not start with 9999999"},
		{"kernel.shmmax = 18446744073692774399", "", ""},
		{"kernel.shmmax = 18446744073709551616",
			"takes 0 to 18446744073709551615: the kernel rejects 18446744073709551616", ""},
		{"net.ipv4.conf.eth0/100.rp_filter = 2", "", ""},
		{"net.ipv4.conf.eth0/100.rp_filter = 9999999999",
			"takes -2147483648 to 2147483647: the kernel rejects 9999999999", ""},
		{"net.ipv4.tcp_congestion_control = anything", "", ""},
		{"net.core.rps_default_mask = ff", "", "takes a hexadecimal mask of the node's processors"},
		{"net.mptcp.scheduler = default", "", "takes what the node lists in net.mptcp.available_schedulers"},
		{"net.ipv4.tcp_fastopen_key = 1-2-3-ffffffff", "", ""},
		{"net.ipv4.tcp_fastopen_key = secret",
			"takes one key, or two joined by a comma; a key is four hexadecimal numbers joined by -", ""},
		{"net.ipv6.conf.default.stable_secret = 2001:db8::1", "", ""},
		{"net.ipv6.conf.default.stable_secret = 42", "takes an IPv6 address", ""},
	} {
		t.Run(test.line, func(t *testing.T) {
			a := parsed(t, test.line)
			problem, warning := FindParameter(a.Name).Check(a)
			if problem != test.problem || warning != test.warning {
				t.Errorf("got %q, %q", problem, warning)
			}
		})
	}
}

func TestOnNodes(t *testing.T) {
	for line, want := range map[string][]string{
		"net.core.somaxconn = 4096":               nil,
		"net.ipv4.tcp_tw_reuse = 1":               nil,
		"net.ipv4.tcp_congestion_control = reno":  nil,
		"net.ipv4.tcp_congestion_control = cubic": {congestionNote},
		"net.core.somaxcon = 1": {"is not a sysctl that sysctl-injector knows; " +
			"did you mean net.core.somaxconn?"},
		"net.ipv6.conf.all.disable_ipv6 = 1": nil,
		"net.ipv4.vs.conn_reuse_mode = 0": {"comes with the kernel module ip_vs; on a node that has not " +
			"loaded it the pod will not start"},
		"-net.ipv4.vs.conn_reuse_mode = 0": nil,
		"net.ipv4.tcp_plb_enabled = 1": {"can be set in a pod on Linux 6.6; on a node with an older " +
			"kernel the pod may not start"},
		"net.bridge.bridge-nf-call-iptables = 1": {"comes with the kernel module br_netfilter; on a node that has " +
			"not loaded it the pod will not start"},
		"-net.netfilter.nf_conntrack_helper = 1": nil,
		"net.netfilter.nf_conntrack_dccp_loose = 1": {"does not exist in kernels newer than Linux 6.12: there, the " +
			"pod will not start", "comes with the kernel module nf_conntrack; on a node that has not loaded it the " +
			"pod will not start"},
	} {
		if diff := cmp.Diff(want, OnNodes(parsed(t, line))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

func parsed(t *testing.T, line string) Assignment {
	t.Helper()
	assignments, errs := Parse(line, nil)
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return assignments[0]
}

func TestFindRemoval(t *testing.T) {
	for name, want := range map[string]string{
		"net.ipv4.tcp_tw_recycle":   "does not exist since Linux 4.12: remove it",
		"net.ipv4.ip_conntrack_max": "does not exist in Linux 4.19 or later: use net.netfilter.nf_conntrack_max",
		"net.ipv4.netfilter.ip_conntrack_max": "does not exist in Linux 4.19 or later (Linux 3.10 had it): use " +
			"net.netfilter.nf_conntrack_max",
		"net.ipv4.tcp_max_ssthresh":             "does not exist in Linux 4.19 or later (Linux 3.10 had it): remove it",
		"net.ipv4.tcp_frto_response":            "does not exist in Linux 4.19 or later (Linux 3.0 had it): remove it",
		"net.ipv4.tcp_cookie_size":              "does not exist in Linux 4.19 or later (Linux 3.0 had it): remove it",
		"net.ipv4.tcp_dma_copybreak":            "does not exist in Linux 4.19 or later (Linux 3.10 had it): remove it",
		"net.ipv4.tcp_low_latency":              "", // it exists, and belongs to the node
		"net.netfilter.nf_conntrack_dccp_loose": "", // some supported kernels have it
		"net.core.somaxconn":                    "",
		"net.core.somaxcon":                     "",
	} {
		got := ""
		if removal := FindRemoval(name); removal != nil {
			got = removal.String()
		}
		if got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
}

func TestCatalogueIsConsistent(t *testing.T) {
	kinds := []string{"int", "u8", "uint", "ulong", "seconds", "milliseconds", "hundredths", "bool", "ports",
		"mask", "text"}
	for name, p := range parameters {
		if !slices.Contains(kinds, p.Type) || p.Source == "" || p.Namespaced == "" {
			t.Errorf("%s: %+v", name, p)
		}
		for _, b := range p.Bounds {
			if b.Min > 0 && uint64(b.Min) > b.Max {
				t.Errorf("%s: bounds %s", name, b)
			}
		}
		if p.isNumeric() && p.Default != "" && !p.DefaultDependsOnNode() && Lookup(name).HostOnly == nil &&
			p.Access == "" && !p.IsGone() {
			if problem, _ := p.CheckValue(p.Default); problem != "" && p.Default != "-1" {
				t.Errorf("%s %s, but its default is %s", name, problem, p.Default)
			}
		}
	}
	if len(parameters) < 600 {
		t.Errorf("only %d rows", len(parameters))
	}
}

package sysctl

import (
	"strings"
	"testing"
)

// badNames are names that sysctl(8) must never get.
var badNames = []string{
	"",
	"..",
	"../x",
	"kernel/../../../tmp/x",
	"kernel.../x",
	"kernel......tmp.x",
	"/proc/sys/kernel/sem",
	"/etc/passwd",
	"-w",
	"-p/etc/x",
	"--system",
	"kernel",
	"kernel.",
	"kernel/",
	".kernel.sem",
	"kernel..sem",
	"kernel//sem",
	"kernel.sem=1",
	"kernel.sem ",
	" kernel.sem",
	"kernel.sem\n",
	"kernel.sem\x00",
	"kernel.s\u0435m",
	"kernel\u2024sem",
	"kernel\u2215sem",
	"kernel.sem\xff",
	"kernel.$(id)",
	"kernel.sem;reboot",
	"kernel.*",
	"Kernel.sem",
	"kern-el.sem",
	"net.ipv4.conf./eth0.forwarding",
	"net.ipv4.conf.eth0//1.forwarding",
	"net.ipv4.conf.eth0/1/.forwarding",
	"net.ipv4.conf.eth0/1",
	"net/ipv4/conf/./forwarding",
	"net/ipv4/conf/../forwarding",
	"net/ipv4/conf/eth0.100/for.warding",
	"kernel/a.b/c",
	"kernel." + strings.Repeat("x", MaxNameLength),
}

func TestParseNameRejectsBadNames(t *testing.T) {
	for _, name := range badNames {
		if got, err := ParseName(name); err == nil || got != "" {
			t.Errorf("ParseName(%q) = %q, %v", name, got, err)
		}
	}
}

func TestParseNameReturnsTheDotForm(t *testing.T) {
	for name, want := range map[string]string{
		"net.core.somaxconn":                 "net.core.somaxconn",
		"net/core/somaxconn":                 "net.core.somaxconn",
		"net.ipv4.conf.eth0-1.arp_notify":    "net.ipv4.conf.eth0-1.arp_notify",
		"net/bridge/bridge-nf-call-iptables": "net.bridge.bridge-nf-call-iptables",
		"kernel.numa_balancing_MBps":         "kernel.numa_balancing_MBps",
		"net/ipv4/conf/eth0.100/forwarding":  "net.ipv4.conf.eth0/100.forwarding",
		"net.ipv4.conf.eth0/100.forwarding":  "net.ipv4.conf.eth0/100.forwarding",
		"net.ipv4.conf.eth0.100.forwarding":  "net.ipv4.conf.eth0/100.forwarding",
		"net/ipv6/neigh/a.b.c/mcast_solicit": "net.ipv6.neigh.a/b/c.mcast_solicit",
		"net.mpls.conf.net1.5.input":         "net.mpls.conf.net1/5.input",
		"net.ipv4.conf.eth0":                 "net.ipv4.conf.eth0",
	} {
		if got, err := ParseName(name); err != nil || got != want {
			t.Errorf("ParseName(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestPathAndDottedAreInverse(t *testing.T) {
	for name, path := range map[string]string{
		"net.core.somaxconn":                "net/core/somaxconn",
		"net.ipv4.conf.eth0/100.forwarding": "net/ipv4/conf/eth0.100/forwarding",
		"kernel.a/b.c":                      "kernel/a.b/c", // Kubernetes accepts this name, but ParseName does not
	} {
		if got := Path(name); got != path {
			t.Errorf("Path(%q) = %q, want %q", name, got, path)
		}
		for _, form := range []string{name, path} {
			if got := Dotted(form); got != name {
				t.Errorf("Dotted(%q) = %q, want %q", form, got, name)
			}
		}
	}
}

func TestScopeOf(t *testing.T) {
	for name, want := range map[string]Scope{
		"net.core.somaxconn":     Network,
		"network.core":           Node,
		"kernel.shm_rmid_forced": IPC,
		"kernel.shmmax":          IPC,
		"kernel.msgmax":          IPC,
		"kernel.sem":             IPC,
		"kernel.sem_next_id":     Node,
		"kernel.semx":            Node,
		"fs.mqueue.msg_max":      IPC,
		"fs.mqueuex.y":           Node,
		"fs.file-max":            Node,
		"vm.max_map_count":       Node,
		"kernel.core_pattern":    Node,
	} {
		if got := (Assignment{Name: name}).Scope(); got != want {
			t.Errorf("scope of %q is %s, want %s", name, got, want)
		}
	}
}

func TestPattern(t *testing.T) {
	for _, test := range []struct {
		pattern string
		text    string
		matches []string
		not     []string
	}{
		{"net.core.somaxconn", "net.core.somaxconn", []string{"net.core.somaxconn"},
			[]string{"net.core.somaxconn2", "net.core", ""}},
		{"net/core/somaxconn", "net.core.somaxconn", []string{"net.core.somaxconn"}, nil},
		{"net.*", "net.*", []string{"net.core.somaxconn", "net.x"}, []string{"network.x", "net"}},
		{"net/ipv4/*", "net.ipv4.*", []string{"net.ipv4.tcp_rmem"}, []string{"net.ipv6.x"}},
		{"kernel.shm*", "kernel.shm*", []string{"kernel.shmmax", "kernel.shm_rmid_forced"}, []string{"kernel.sem"}},
		{"vm*", "vm*", []string{"vm.max_map_count"}, []string{"net.x"}},
		{"*", "*", []string{"vm.max_map_count", "net.x"}, nil},
		{
			"net.ipv4.conf.*.send_redirects", "net.ipv4.conf.*.send_redirects",
			[]string{"net.ipv4.conf.net1.send_redirects", "net.ipv4.conf.all.send_redirects",
				"net.ipv4.conf.eth0/100.send_redirects"},
			[]string{
				"net.ipv4.conf.net1.send_redirects2", "net.ipv4.conf.net1.accept_redirects",
				"net.ipv6.conf.net1.send_redirects",
				"net.ipv4.conf.send_redirects", "net.ipv4.conf..send_redirects", "net.ipv4.conf.a.b.send_redirects",
				"net.ipv4.conf.net1", "",
			},
		},
		{"net/ipv6/conf/*/accept_ra", "net.ipv6.conf.*.accept_ra", []string{"net.ipv6.conf.eth0.accept_ra"},
			[]string{"net.ipv6.conf.eth0.accept_ra_pinfo"}},
		{"net.ipv6.conf.*.accept_ra*", "net.ipv6.conf.*.accept_ra*", []string{"net.ipv6.conf.eth0.accept_ra_pinfo"},
			[]string{"net.ipv6.conf.eth0.mtu"}},
		{"net.ipv4.conf.*.*", "net.ipv4.conf.*.*", []string{"net.ipv4.conf.eth0.mtu"},
			[]string{"net.ipv4.conf.eth0", "net.ipv4.tcp_rmem"}},
		{
			"net.*.neigh.*.retrans_time_ms", "net.*.neigh.*.retrans_time_ms",
			[]string{"net.ipv4.neigh.eth0.retrans_time_ms", "net.ipv6.neigh.net1/7.retrans_time_ms"},
			[]string{"net.ipv4.conf.eth0.retrans_time_ms"},
		},
	} {
		pattern, err := ParsePattern(test.pattern)
		if err != nil {
			t.Errorf("ParsePattern(%q): %v", test.pattern, err)
			continue
		}
		if pattern.String() != test.text {
			t.Errorf("ParsePattern(%q) reads as %q, want %q", test.pattern, pattern, test.text)
		}
		if prefix, ok := pattern.Prefix(); ok != strings.HasSuffix(test.text, "*") || ok && prefix+"*" != test.text {
			t.Errorf("ParsePattern(%q) has the prefix %q, %t", test.pattern, prefix, ok)
		}
		if exact, wild := pattern.IsExact(), strings.Contains(test.text, "*"); exact == wild {
			t.Errorf("ParsePattern(%q) is exact: %t", test.pattern, exact)
		}
		for _, name := range test.matches {
			if !pattern.Matches(name) {
				t.Errorf("%q does not match %q", test.pattern, name)
			}
		}
		for _, name := range test.not {
			if pattern.Matches(name) {
				t.Errorf("%q matches %q", test.pattern, name)
			}
		}
	}
}

func TestPatternRejects(t *testing.T) {
	for _, pattern := range []string{
		"", "net", "net.*.x", "**", "net.*.conf.*.forwarding", "net.ipv4.*.eth0.forwarding",
		"net.ipv4.conf.eth*.forwarding", "net.ipv4.conf.*eth.forwarding",
		"net.ipv4.conf.*.a.b", "net.ipv4.conf.*.", "net.ipv4.conf.*..", "net.ipv4.conf.*.a*b", "net.ipv4.conf.*.*.x",
		"net.ipv4.conf.**.x", "net.ipv4.conf.*.A/b", "net.ipv4.conf.*/x",
		"*.x", ".*", "/*", "net..*", "net//*", "Net.*", "net.ipv4/*", "net core.*", "-*", "net.\u0435*"} {
		if got, err := ParsePattern(pattern); err == nil || got != (Pattern{}) {
			t.Errorf("ParsePattern(%q) = %v, %v", pattern, got, err)
		}
	}
	if (Pattern{}).Matches("") || (Pattern{}).Matches("net.x") {
		t.Error("the zero Pattern matches")
	}
}

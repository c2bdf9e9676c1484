package sysctl

import (
	"slices"
	"testing"
)

func TestModuleOf(t *testing.T) {
	for name, want := range map[string]string{
		"net.ipv6.conf.all.disable_ipv6":                     "ipv6",
		"net.netfilter.nf_conntrack_tcp_timeout_established": "nf_conntrack",
		"net.nf_conntrack_max":                               "nf_conntrack",
		"net.bridge.bridge-nf-call-iptables":                 "br_netfilter",
		"net.ipv4.vs.conntrack":                              "ip_vs",
		"net.sctp.rto_min":                                   "sctp",
		"net.core.somaxconn":                                 "",
		"net.ipv4.tcp_rmem":                                  "",
		"net.ipv4.conf.eth7.rp_filter":                       "",
		"net.mptcp.enabled":                                  "", // MPTCP is built in, or absent
		"kernel.sem":                                         "",
		"fs.mqueue.msg_max":                                  "",
		"vm.max_map_count":                                   "",
	} {
		if got := ModuleOf(name); got != want {
			t.Errorf("ModuleOf(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestOptionalRows(t *testing.T) {
	var patterns []string
	for _, o := range optional {
		if parsed, err := ParsePattern(o.pattern.String()); err != nil || parsed != o.pattern {
			t.Errorf("%s is not a pattern: %v", o.pattern, err)
		}
		if o.module == "" || o.source == "" || slices.Contains(patterns, o.pattern.String()) {
			t.Errorf("%s has no module or no source, or is listed twice", o.pattern)
		}
		patterns = append(patterns, o.pattern.String())
	}
	for _, example := range optionalExamples {
		if !slices.Contains(patterns, example) {
			t.Errorf("the message names %s, which is not in the table", example)
		}
	}
}

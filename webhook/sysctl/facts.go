package sysctl

import (
	"net/netip"
	"regexp"
	"strings"
)

// nodeDefaults are names whose value in a new namespace depends on the node: on its memory, its processors, or its own
// setting, which a new network namespace inherits.
//
// Source: Linux net/ipv4/tcp.c (tcp_init, by memory), net/ipv4/tcp_ipv4.c (tcp_sk_init), net/core/neighbour.c,
// net/ipv4/devinet.c (devinet_init_net, which copies the node's), net/netfilter/nf_conntrack_core.c,
// Documentation/admin-guide/sysctl/net.rst.
var nodeDefaults = []string{
	"net.core.optmem_max", "net.core.rmem_default", "net.core.rmem_max", "net.core.rps_default_mask",
	"net.core.wmem_default", "net.core.wmem_max",
	"net.ipv4.ip_forward", "net.ipv4.tcp_allowed_congestion_control", "net.ipv4.tcp_available_congestion_control",
	"net.ipv4.tcp_congestion_control",
	"net.ipv4.tcp_ehash_entries", "net.ipv4.tcp_fastopen", "net.ipv4.tcp_max_syn_backlog",
	"net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
	"net.ipv4.udp_hash_entries", "net.netfilter.nf_conntrack_buckets", "net.netfilter.nf_conntrack_expect_max",
	"net.netfilter.nf_conntrack_max",
	"net.unix.max_dgram_qlen",
}

// conditions describe what a value depends on besides fixed bounds. Each completes a sentence that begins with the
// sysctl's name.
//
// Source: Linux net/ipv6/addrconf.c, addrconf_sysctl_mtu and addrconf_sysctl_addr_gen_mode;
// net/core/sysctl_net_core.c, rps_default_mask_sysctl; net/mptcp/ctrl.c, proc_scheduler and proc_path_manager.
var conditions = map[string]string{
	"net.core.rps_default_mask":     "takes a hexadecimal mask of the node's processors",
	"net.mptcp.path_manager":        "takes what the node lists in net.mptcp.available_path_managers",
	"net.mptcp.scheduler":           "takes what the node lists in net.mptcp.available_schedulers",
	"net.ipv6.conf.*.mtu":           "takes at most the MTU of the interface",
	"net.ipv6.conf.*.addr_gen_mode": "takes 2 only after net.ipv6.conf.default.stable_secret is set",
}

// DefaultDependsOnNode reports whether the default in the catalogue is that of one machine, and other nodes differ.
func (p *Parameter) DefaultDependsOnNode() bool {
	if strings.HasPrefix(p.Name, "net.ipv4.conf.") || strings.Contains(p.Name, ".neigh.") ||
		strings.HasPrefix(p.Name, "net.netfilter.nf_log.") {
		return true
	}
	for _, name := range nodeDefaults {
		if p.Name == name {
			return true
		}
	}
	return false
}

// defaultChanges are defaults that a release changed, found in the source trees of the catalogue.
var defaultChanges = []struct{ name, text, source string }{
	{"net.core.somaxconn", "started with 128 in Linux 4.19; with 4096 from 5.4 on",
		"Linux include/linux/socket.h (SOMAXCONN)"},
	{"net.ipv4.tcp_rmem", "started with 87380 in the middle in Linux 4.19; with 131072 from 5.4 on",
		"Linux net/ipv4/tcp.c (tcp_init)"},
	{"net.ipv4.tcp_limit_output_bytes", "started with 262144 in Linux 4.19, with 1048576 from 5.4 to 6.12",
		"Linux net/ipv4/tcp_ipv4.c (tcp_sk_init)"},
	{"net.ipv4.tcp_challenge_ack_limit", "started with 1000 up to Linux 5.15; with 2147483647 from 6.1 on",
		"Linux net/ipv4/tcp_ipv4.c (tcp_sk_init)"},
}

// effects describe what a write changes besides the value.
var effects = []struct {
	names        []string
	text, source string
}{
	{
		[]string{"net.ipv4.ip_forward"},
		"resets other parameters when it changes: net.ipv4.conf.* gets the defaults of a router or of a host",
		"Linux Documentation/networking/ip-sysctl.rst (ip_forward)",
	},
	{
		[]string{"net.ipv4.tcp_congestion_control"},
		"may load the module tcp_<name> on the node when a privileged container writes it",
		"Linux net/ipv4/tcp_cong.c (tcp_set_default_congestion_control)",
	},
	{
		[]string{"net.ipv6.conf.*.disable_ipv6"},
		"removes the IPv6 addresses and routes of the interface when it is set",
		"Linux Documentation/networking/ip-sysctl.rst (disable_ipv6)",
	},
	{[]string{"net.ipv4.route.flush", "net.ipv6.route.flush"}, "empties the namespace's route cache when it is written",
		"Linux net/ipv4/route.c, net/ipv6/route.c"},
}

// fastopenKey matches one key of net.ipv4.tcp_fastopen_key.
const fastopenKey = `[0-9a-fA-F]{1,8}(-[0-9a-fA-F]{1,8}){3}`

// formats check and describe the text values that the kernel parses.
var formats = map[string]struct {
	isValid func(string) bool
	text    string // completes a sentence that begins with the sysctl's name
	source  string
}{
	"net.ipv4.tcp_fastopen_key": {
		regexp.MustCompile(`^` + fastopenKey + `(,` + fastopenKey + `)?$`).MatchString,
		"takes one key, or two joined by a comma; a key is four hexadecimal numbers joined by -",
		"Linux net/ipv4/sysctl_net_ipv4.c (proc_tcp_fastopen_key)",
	},
	"net.ipv6.conf.*.stable_secret": {
		func(value string) bool {
			address, err := netip.ParseAddr(value)
			return err == nil && address.Is6() && address.Zone() == ""
		},
		"takes an IPv6 address", "Linux net/ipv6/addrconf.c (addrconf_sysctl_stable_secret)",
	},
}

package sysctl

import "slices"

// CongestionControl is the sysctl that may load a kernel module.
const CongestionControl = "net.ipv4.tcp_congestion_control"

// CongestionControls are the values of CongestionControl that every policy may allow: algorithms that
// distributions build in or ship, and load themselves.
var CongestionControls = []string{"bbr", "cubic", "reno"}

// LoadsModule returns the kernel module that setting a value may load on the node, or "" if it loads none but the
// usual ones. For an unknown congestion control the kernel asks for the module "tcp_" + value, and only then checks
// whether this network namespace may use it. A container with CAP_NET_ADMIN on the node can so load any module of
// such a name, tcp_diag too.
//
// Source: Linux net/ipv4/tcp_cong.c, tcp_set_default_congestion_control and tcp_ca_find_autoload.
func LoadsModule(name, value string) string {
	if name != CongestionControl || slices.Contains(CongestionControls, value) {
		return ""
	}
	return "tcp_" + value
}

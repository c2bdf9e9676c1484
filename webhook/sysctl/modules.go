package sysctl

import "slices"

// CongestionControl is the only sysctl that can load a kernel module.
const CongestionControl = "net.ipv4.tcp_congestion_control"

// CongestionControls are the values of CongestionControl that any policy may allow: distributions build in, or ship and
// load, these algorithms themselves.
var CongestionControls = []string{"bbr", "cubic", "reno"}

// LoadsModule returns the kernel module that setting a value may load on the node, or "" if it loads none or only one
// of CongestionControls. For an unknown congestion control, the kernel loads the module "tcp_" + value, and only then
// checks whether this network namespace may use it. So a container with CAP_NET_ADMIN on the node can load any module
// with such a name, for example tcp_diag.
//
// Source: Linux net/ipv4/tcp_cong.c, tcp_set_default_congestion_control and tcp_ca_find_autoload.
func LoadsModule(name, value string) string {
	if name != CongestionControl || slices.Contains(CongestionControls, value) {
		return ""
	}
	return "tcp_" + value
}

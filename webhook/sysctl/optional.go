package sysctl

import (
	"fmt"
	"strings"
)

// optional lists the sysctls that exist only while a module is loaded, or that a boot option can turn off. Only these
// may have a leading "-": any other missing name is a mistake.
//
// Source: the Kconfig entry of each module is tristate, and its code registers the names, in Linux 5.10 to 7.2. IPv6
// can be turned off at boot too (ipv6.disable=1, Documentation/networking/ipv6.rst).
var optional = []struct {
	pattern Pattern
	module  string
	source  string
}{
	{Pattern{text: "net.ipv6.", prefix: true}, "ipv6", "net/ipv6/af_inet6.c (disable_ipv6_mod)"},
	{Pattern{text: "net.netfilter.", prefix: true}, "nf_conntrack",
		"net/netfilter/nf_conntrack_standalone.c, nf_log.c"},
	{Pattern{text: "net.nf_conntrack", prefix: true}, "nf_conntrack", "net/netfilter/nf_conntrack_standalone.c"},
	{Pattern{text: "net.bridge.", prefix: true}, "br_netfilter", "net/bridge/br_netfilter_hooks.c"},
	{Pattern{text: "net.ipv4.vs.", prefix: true}, "ip_vs", "net/netfilter/ipvs/ip_vs_ctl.c"},
	{Pattern{text: "net.sctp.", prefix: true}, "sctp", "net/sctp/sysctl.c"},
	{Pattern{text: "net.dccp.", prefix: true}, "dccp", "net/dccp/sysctl.c (removed in Linux 6.16)"},
	{Pattern{text: "net.mpls.", prefix: true}, "mpls_router", "net/mpls/af_mpls.c"},
	{Pattern{text: "net.smc.", prefix: true}, "smc", "net/smc/smc_sysctl.c"},
	{Pattern{text: "net.rds.", prefix: true}, "rds", "net/rds/sysctl.c, tcp.c, ib_sysctl.c"},
	{Pattern{text: "net.tipc.", prefix: true}, "tipc", "net/tipc/sysctl.c"},
	{Pattern{text: "net.rxrpc.", prefix: true}, "rxrpc", "net/rxrpc/sysctl.c"},
	{Pattern{text: "net.vsock.", prefix: true}, "vsock", "net/vmw_vsock/af_vsock.c"},
	{Pattern{text: "net.ieee802154.", prefix: true}, "ieee802154_6lowpan", "net/ieee802154/6lowpan/reassembly.c"},
	{Pattern{text: "net.llc.", prefix: true}, "llc2", "net/llc/sysctl_net_llc.c"},
	{Pattern{text: "net.phonet.", prefix: true}, "phonet", "net/phonet/sysctl.c"},
	{Pattern{text: "net.x25.", prefix: true}, "x25", "net/x25/sysctl_net_x25.c"},
	{Pattern{text: "net.ax25.", prefix: true}, "ax25", "net/ax25/sysctl_net_ax25.c"},
	{Pattern{text: "net.netrom.", prefix: true}, "netrom", "net/netrom/sysctl_net_netrom.c"},
	{Pattern{text: "net.rose.", prefix: true}, "rose", "net/rose/sysctl_net_rose.c"},
	{Pattern{text: "net.appletalk.", prefix: true}, "appletalk", "net/appletalk/sysctl_net_atalk.c"},
	{Pattern{text: "sunrpc.", prefix: true}, "sunrpc", "net/sunrpc/sysctl.c"},
	{Pattern{text: "fs.nfs.", prefix: true}, "nfs", "fs/nfs/sysctl.c, fs/lockd/svc.c"},
	{Pattern{text: "fs.fuse.", prefix: true}, "fuse", "fs/fuse/sysctl.c"},
	{Pattern{text: "fs.xfs.", prefix: true}, "xfs", "fs/xfs/xfs_sysctl.c"},
}

// ModuleOf returns the optional kernel module that provides a sysctl, or "" if no module is needed.
func ModuleOf(name string) string {
	for _, o := range optional {
		if o.pattern.Matches(name) {
			return o.module
		}
	}
	return ""
}

// checkOptional reports why a name may not have a leading "-".
func checkOptional(name string) error {
	if ModuleOf(name) != "" {
		return nil
	}
	return fmt.Errorf(`a leading "-" is only for sysctls that an optional kernel module provides (%s): `+
		`remove the "-", since a pod must not start with a sysctl that was not set`,
		strings.Join(optionalExamples, ", "))
}

// optionalExamples are the patterns that pods use most.
var optionalExamples = []string{"net.ipv6.*", "net.netfilter.*", "net.bridge.*", "net.ipv4.vs.*", "net.sctp.*"}

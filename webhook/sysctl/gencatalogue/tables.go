//go:build linux

package main

import "strings"

// folders maps tables to the folder of /proc/sys where they are registered. A key is a file, or a file and a table's
// name if the tables of a file have different folders. The kernel builds most of these paths at run time, so the
// source does not contain them.
var folders = map[string]string{
	"ipc/mq_sysctl.c mq_sysctls":                                    "fs/mqueue",
	"ipc/ipc_sysctl.c ipc_kern_table":                               "kernel",
	"ipc/ipc_sysctl.c ipc_sysctls":                                  "kernel",
	"drivers/net/vrf.c":                                             "net/vrf",
	"net/appletalk/sysctl_net_atalk.c":                              "net/appletalk",
	"net/bridge/br_netfilter_hooks.c":                               "net/bridge",
	"net/core/neighbour.c":                                          "net/*/neigh/*",
	"net/core/sysctl_net_core.c":                                    "net/core",
	"net/dccp/sysctl.c":                                             "net/dccp/default",
	"net/decnet/sysctl_net_decnet.c":                                "net/decnet",
	"net/ieee802154/6lowpan/reassembly.c":                           "net/ieee802154/6lowpan",
	"net/ipv4/devinet.c":                                            "net/ipv4/conf/*",
	"net/ipv4/devinet.c ctl_forward_entry":                          "net/ipv4",
	"net/ipv4/ip_fragment.c":                                        "net/ipv4",
	"net/ipv4/route.c":                                              "net/ipv4/route",
	"net/ipv4/sysctl_net_ipv4.c":                                    "net/ipv4",
	"net/ipv4/xfrm4_policy.c":                                       "net/ipv4",
	"net/ipv6/addrconf.c":                                           "net/ipv6/conf/*",
	"net/ipv6/icmp.c":                                               "net/ipv6/icmp",
	"net/ipv6/netfilter/nf_conntrack_reasm.c":                       "net/netfilter",
	"net/ipv6/reassembly.c":                                         "net/ipv6",
	"net/ipv6/route.c":                                              "net/ipv6/route",
	"net/ipv6/sysctl_net_ipv6.c":                                    "net/ipv6",
	"net/ipv6/xfrm6_policy.c":                                       "net/ipv6",
	"net/llc/sysctl_net_llc.c":                                      "net/llc/llc2/timeout",
	"net/mpls/af_mpls.c mpls_dev_table":                             "net/mpls/conf/*",
	"net/mpls/af_mpls.c mpls_table":                                 "net/mpls",
	"net/mptcp/ctrl.c":                                              "net/mptcp",
	"net/netfilter/ipvs/ip_vs_ctl.c":                                "net/ipv4/vs",
	"net/netfilter/ipvs/ip_vs_lblc.c":                               "net/ipv4/vs",
	"net/netfilter/ipvs/ip_vs_lblcr.c":                              "net/ipv4/vs",
	"net/netfilter/nf_conntrack_acct.c":                             "net/netfilter",
	"net/netfilter/nf_conntrack_ecache.c":                           "net/netfilter",
	"net/netfilter/nf_conntrack_helper.c":                           "net/netfilter",
	"net/netfilter/nf_conntrack_proto_dccp.c":                       "net/netfilter",
	"net/netfilter/nf_conntrack_proto_gre.c":                        "net/netfilter",
	"net/netfilter/nf_conntrack_proto_generic.c":                    "net/netfilter",
	"net/netfilter/nf_conntrack_proto_icmp.c":                       "net/netfilter",
	"net/netfilter/nf_conntrack_proto_icmpv6.c":                     "net/netfilter",
	"net/netfilter/nf_conntrack_proto_sctp.c":                       "net/netfilter",
	"net/netfilter/nf_conntrack_proto_tcp.c":                        "net/netfilter",
	"net/netfilter/nf_conntrack_proto_udp.c":                        "net/netfilter",
	"net/netfilter/nf_conntrack_standalone.c":                       "net/netfilter",
	"net/netfilter/nf_conntrack_standalone.c nf_ct_netfilter_table": "net",
	"net/netfilter/nf_conntrack_timestamp.c":                        "net/netfilter",
	"net/netfilter/nf_hooks_lwtunnel.c":                             "net/netfilter",
	"net/netfilter/nf_log.c":                                        "net/netfilter",
	"net/netrom/sysctl_net_netrom.c":                                "net/netrom",
	"net/phonet/sysctl.c":                                           "net/phonet",
	"net/rds/ib_sysctl.c":                                           "net/rds/ib",
	"net/rds/sysctl.c":                                              "net/rds",
	"net/rds/tcp.c":                                                 "net/rds/tcp",
	"net/rose/sysctl_net_rose.c":                                    "net/rose",
	"net/rxrpc/sysctl.c":                                            "net/rxrpc",
	"net/sctp/sysctl.c":                                             "net/sctp",
	"net/smc/smc_sysctl.c":                                          "net/smc",
	"net/tipc/sysctl.c":                                             "net/tipc",
	"net/unix/sysctl_net_unix.c":                                    "net/unix",
	"net/x25/sysctl_net_x25.c":                                      "net/x25",
	"net/xfrm/xfrm_sysctl.c":                                        "net/core",
}

func folderOf(file, table string) (string, bool) {
	if folder, ok := folders[file+" "+table]; ok {
		return folder, true
	}
	if strings.HasPrefix(file, "net/ipv4/netfilter/") &&
		(strings.Contains(table, "compat") || table == "ip_ct_sysctl_table") ||
		strings.Contains(file, "nf_conntrack_proto_") && strings.Contains(table, "compat") {
		return "net/ipv4/netfilter", true // the names that ip_conntrack had, up to Linux 4.9
	}
	folder, ok := folders[file]
	return folder, ok
}

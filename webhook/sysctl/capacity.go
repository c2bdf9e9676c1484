package sysctl

import "strings"

// capacities are limits that people want to raise, with the default of a new network or IPC namespace on current
// kernels. An old tuning guide often lowers such a limit by mistake. Sysctls that people lower on purpose, such as
// tcp_fin_timeout, are not in the table.
//
// Source: the file in each row, in Linux 5.10 and 6.12. The TCP buffers are those of a node with at least a gigabyte of
// memory. If the two kernels differ, the row has the lower default. A test compares the table with the running kernel.
var capacities = map[string]capacity{
	"net.core.somaxconn":            {"4096", "5.4", "include/linux/socket.h (SOMAXCONN; commit 19f92a030ca6)"},
	"net.ipv4.tcp_rmem":             {"4096 131072 6291456", "4.20", "net/ipv4/tcp.c (tcp_init; commit a337531b942b)"},
	"net.ipv4.tcp_wmem":             {"4096 16384 4194304", "", "net/ipv4/tcp.c (tcp_init)"},
	"net.ipv4.udp_rmem_min":         {"4096", "", "net/ipv4/udp.c (udp_set_table, udp_sysctl_init)"},
	"net.ipv4.udp_wmem_min":         {"4096", "", "net/ipv4/udp.c (udp_set_table, udp_sysctl_init)"},
	"net.ipv4.ipfrag_high_thresh":   {"4194304", "", "net/ipv4/ip_fragment.c (ipv4_frags_init_net)"},
	"net.ipv6.ip6frag_high_thresh":  {"4194304", "", "include/net/ipv6.h (IPV6_FRAG_HIGH_THRESH)"},
	"net.ipv4.igmp_max_memberships": {"20", "", "net/ipv4/igmp.c (igmp_net_init)"},
	"net.unix.max_dgram_qlen":       {"10", "", "net/unix/af_unix.c (unix_net_init)"},
	"kernel.shmmax":                 {"18446744073692774399", "3.16", "include/uapi/linux/shm.h (SHMMAX)"},
	"kernel.shmall":                 {"18446744073692774399", "3.16", "include/uapi/linux/shm.h (SHMALL)"},
	"kernel.shmmni":                 {"4096", "", "include/uapi/linux/shm.h (SHMMNI)"},
	"kernel.sem": {"32000 1024000000 500 32000", "",
		"include/uapi/linux/sem.h (SEMMSL, SEMMNS, SEMOPM, SEMMNI)"},
	"kernel.msgmax":         {"8192", "", "include/uapi/linux/msg.h (MSGMAX)"},
	"kernel.msgmnb":         {"16384", "", "include/uapi/linux/msg.h (MSGMNB)"},
	"kernel.msgmni":         {"32000", "", "include/uapi/linux/msg.h (MSGMNI)"},
	"fs.mqueue.msg_max":     {"10", "", "include/linux/ipc_namespace.h (DFLT_MSGMAX)"},
	"fs.mqueue.msgsize_max": {"8192", "", "include/linux/ipc_namespace.h (DFLT_MSGSIZEMAX)"},
	"fs.mqueue.queues_max":  {"256", "", "include/linux/ipc_namespace.h (DFLT_QUEUESMAX)"},
}

type capacity struct{ start, since, source string }

// Lowers reports whether the assignment sets a limit below the default of a new namespace. If so, it returns the
// default and the Linux release that introduced it, or "" for an old default.
func (a Assignment) Lowers() (start, since string) {
	c, isCapacity := capacities[a.Name]
	if !isCapacity || a.Operator != Equal {
		return "", ""
	}
	numbers, defaults := strings.Fields(a.Value), strings.Fields(c.start)
	if len(numbers) != len(defaults) {
		return "", ""
	}
	for i, number := range numbers {
		if IsWholeNumber(number) && isLowerNumber(number, defaults[i]) {
			return c.start, c.since
		}
	}
	return "", ""
}

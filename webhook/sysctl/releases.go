package sysctl

// safeSince are the safe sysctls of Kubernetes, by the release that made them safe: namespaced, isolated, harmless to
// the node. Pod Security admission allows exactly these at baseline; a test compares the two, release by release.
var safeSince = []release{
	{
		version: "1.4",
		source:  "kubernetes/kubernetes pkg/kubelet/sysctl, the first list of safe sysctls (alpha)",
		names: []string{
			"kernel.shm_rmid_forced",
			"net.ipv4.ip_local_port_range",
			"net.ipv4.tcp_syncookies",
		},
	},
	{
		version: "1.18",
		source:  "kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster, \"since Kubernetes 1.18\"",
		names:   []string{"net.ipv4.ping_group_range"},
	},
	{
		version: "1.22",
		source:  "kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster, \"since Kubernetes 1.22\"",
		names:   []string{"net.ipv4.ip_unprivileged_port_start"},
	},
	{
		version: "1.27",
		source: "k8s.io/pod-security-admission policy/check_sysctls.go; " +
			"kubernetes.io/docs/reference/node/kernel-version-requirements",
		names: []string{"net.ipv4.ip_local_reserved_ports"},
	},
	{
		version: "1.29",
		source: "k8s.io/pod-security-admission policy/check_sysctls.go; " +
			"kubernetes.io/docs/reference/node/kernel-version-requirements",
		names: []string{
			"net.ipv4.tcp_fin_timeout",
			"net.ipv4.tcp_keepalive_intvl",
			"net.ipv4.tcp_keepalive_probes",
			"net.ipv4.tcp_keepalive_time",
		},
	},
	{
		version: "1.32",
		source: "k8s.io/pod-security-admission policy/check_sysctls.go; " +
			"kubernetes.io/docs/reference/node/kernel-version-requirements",
		names: []string{
			"net.ipv4.tcp_rmem",
			"net.ipv4.tcp_wmem",
		},
	},
	{
		version: "1.37",
		source: "k8s.io/pod-security-admission policy/check_sysctls.go; kubernetes/kubernetes " +
			"pkg/kubelet/sysctl/safe_sysctls.go",
		names: []string{
			"net.ipv4.tcp_notsent_lowat",
			"net.ipv4.tcp_slow_start_after_idle",
		},
	},
}

// namespacedSince are names by the Linux release since which each network namespace has a copy. It leaves out names
// whose release is older than 4.0 or unknown. The rows up to 4.15 agree with the tables ipv4_table (initial namespace)
// and ipv4_net_table (every namespace) of net/ipv4/sysctl_net_ipv4.c in the source of 4.9, 4.14 and 4.19.
var namespacedSince = []release{
	{
		version: "4.5",
		source: "kubernetes/kubernetes pkg/util/kernel/constants.go; Linux commits 13b287e8d1ca, 9bd6861bd432, " +
			"b840d15d3912",
		names: []string{
			"net.ipv4.tcp_keepalive_intvl",
			"net.ipv4.tcp_keepalive_probes",
			"net.ipv4.tcp_keepalive_time",
		},
	},
	{
		version: "4.6",
		source: "kubernetes/kubernetes pkg/util/kernel/constants.go (tcp_fin_timeout, tcp_notsent_lowat) and " +
			"kernel-version-requirements (tcp_syncookies); " +
			"the others are of the same series of February 2016: Linux commits 6fa251663069 to 4979f2d9f726",
		names: []string{
			"net.ipv4.tcp_fin_timeout",
			"net.ipv4.tcp_notsent_lowat",
			"net.ipv4.tcp_orphan_retries",
			"net.ipv4.tcp_reordering",
			"net.ipv4.tcp_retries1",
			"net.ipv4.tcp_retries2",
			"net.ipv4.tcp_syn_retries",
			"net.ipv4.tcp_synack_retries",
			"net.ipv4.tcp_syncookies",
		},
	},
	{
		version: "4.11",
		source: "the series \"ipv4: Namespaceify tcp_tw_recycle and tcp_max_tw_buckets knob\" and those around it, " +
			"December 2016, merged for 4.11; in ipv4_table of 4.9, in ipv4_net_table of 4.19",
		names: []string{
			"net.ipv4.tcp_max_syn_backlog",
			"net.ipv4.tcp_max_tw_buckets",
			"net.ipv4.tcp_tw_reuse",
		},
	},
	{
		version: "4.13",
		source:  "Linux commit 06fcb3b69fb8, merge of \"tcp: Namespaceify 3 sysctls\", June 2017",
		names: []string{
			"net.ipv4.tcp_sack",
			"net.ipv4.tcp_timestamps",
			"net.ipv4.tcp_window_scaling",
		},
	},
	{
		version: "4.15",
		source: "kubernetes/kubernetes pkg/util/kernel/constants.go (tcp_rmem, tcp_wmem, tcp_slow_start_after_idle); " +
			"the others are of the same series of October and November 2017: Linux commit 010b64f7f198 and those " +
			"after it; tcp_fastopen: include/net/netns/ipv4.h of Linux 4.15-rc2",
		names: []string{
			"net.ipv4.tcp_abort_on_overflow",
			"net.ipv4.tcp_adv_win_scale",
			"net.ipv4.tcp_app_win",
			"net.ipv4.tcp_autocorking",
			"net.ipv4.tcp_challenge_ack_limit",
			"net.ipv4.tcp_congestion_control",
			"net.ipv4.tcp_dsack",
			"net.ipv4.tcp_fack",
			"net.ipv4.tcp_fastopen",
			"net.ipv4.tcp_fastopen_key",
			"net.ipv4.tcp_frto",
			"net.ipv4.tcp_invalid_ratelimit",
			"net.ipv4.tcp_limit_output_bytes",
			"net.ipv4.tcp_max_reordering",
			"net.ipv4.tcp_min_rtt_wlen",
			"net.ipv4.tcp_min_tso_segs",
			"net.ipv4.tcp_moderate_rcvbuf",
			"net.ipv4.tcp_no_metrics_save",
			"net.ipv4.tcp_pacing_ca_ratio",
			"net.ipv4.tcp_pacing_ss_ratio",
			"net.ipv4.tcp_recovery",
			"net.ipv4.tcp_retrans_collapse",
			"net.ipv4.tcp_rfc1337",
			"net.ipv4.tcp_rmem",
			"net.ipv4.tcp_slow_start_after_idle",
			"net.ipv4.tcp_stdurg",
			"net.ipv4.tcp_thin_linear_timeouts",
			"net.ipv4.tcp_tso_win_divisor",
			"net.ipv4.tcp_wmem",
			"net.ipv4.tcp_workaround_signed_windows",
		},
	},
	{
		version: "4.17",
		source:  "Linux commit \"udp: Move the udp sysctl to namespace\", March 2018, in include/net/netns/ipv4.h",
		names: []string{
			"net.ipv4.udp_rmem_min",
			"net.ipv4.udp_wmem_min",
		},
	},
	{
		version: "5.3",
		source:  "Linux commits ff6d090d0db4 and 22567590b2e6, June 2019, in net/bridge/br_netfilter_hooks.c",
		names: []string{
			"net.bridge.bridge-nf-call-arptables",
			"net.bridge.bridge-nf-call-ip6tables",
			"net.bridge.bridge-nf-call-iptables",
			"net.bridge.bridge-nf-filter-pppoe-tagged",
			"net.bridge.bridge-nf-filter-vlan-tagged",
			"net.bridge.bridge-nf-pass-vlan-input-dev",
		},
	},
	{
		version: "5.17",
		source:  "Linux commits 1de6b15a434c and 1135fad20480, January 2022, in net/ipv4/route.c",
		names: []string{
			"net.ipv4.route.min_pmtu",
			"net.ipv4.route.mtu_expires",
		},
	},
	{
		version: "6.8",
		source:  "include/net/netns/core.h of Linux 6.8-rc1 (sysctl_optmem_max)",
		names:   []string{"net.core.optmem_max"},
	},
	{
		version: "6.12",
		source:  "Linux commit b056b4c, August 2024, and the one after it, in net/ipv4/icmp.c",
		names: []string{
			"net.ipv4.icmp_msgs_burst",
			"net.ipv4.icmp_msgs_per_sec",
		},
	},
}

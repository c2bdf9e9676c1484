package convert

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// bounds describe values that every kernel since 4.19 accepts for a name, if it has the name: whole numbers from min to
// max, as many as fields.
type bounds struct {
	fields   int
	min, max int64
}

const maxInt = 1<<31 - 1

var (
	boolean = bounds{1, 0, 1}
	natural = bounds{1, 0, maxInt}
	seconds = bounds{1, 1, 32767}
	small   = bounds{1, 1, 127}
)

// certain are names that every pod on a supported node has (Linux 4.19 and later, with any modules), and values that
// the kernel accepts there. Writing them cannot fail, so it does not matter whether the script ignores failures. The
// bounds are narrower than those of the newest kernel if an older one accepts less (Linux net/core/sysctl_net_core.c,
// net/ipv4/sysctl_net_ipv4.c, net/ipv4/devinet.c, ipc/ipc_sysctl.c).
var certain = certainNames()

func certainNames() map[string]bounds {
	all := map[string]bounds{
		"net.core.somaxconn":                         {1, 0, 65535}, // more since Linux 5.0
		"net.ipv4.icmp_echo_ignore_all":              boolean,
		"net.ipv4.icmp_echo_ignore_broadcasts":       boolean,
		"net.ipv4.icmp_ignore_bogus_error_responses": boolean,
		"net.ipv4.ip_default_ttl":                    {1, 1, 255},
		"net.ipv4.ip_forward":                        boolean,
		"net.ipv4.ip_local_port_range":               {2, 1024, 65535},
		"net.ipv4.ip_no_pmtu_disc":                   boolean,
		"net.ipv4.ip_nonlocal_bind":                  boolean,
		"net.ipv4.ip_unprivileged_port_start":        {1, 0, 1024},
		"net.ipv4.tcp_abort_on_overflow":             boolean,
		"net.ipv4.tcp_dsack":                         boolean,
		"net.ipv4.tcp_ecn":                           {1, 0, 2},
		"net.ipv4.tcp_fastopen":                      {1, 0, 3},
		"net.ipv4.tcp_fin_timeout":                   seconds,
		"net.ipv4.tcp_keepalive_intvl":               seconds,
		"net.ipv4.tcp_keepalive_probes":              small,
		"net.ipv4.tcp_keepalive_time":                seconds,
		"net.ipv4.tcp_max_syn_backlog":               natural,
		"net.ipv4.tcp_max_tw_buckets":                natural,
		"net.ipv4.tcp_moderate_rcvbuf":               boolean,
		"net.ipv4.tcp_mtu_probing":                   {1, 0, 2},
		"net.ipv4.tcp_no_metrics_save":               boolean,
		"net.ipv4.tcp_notsent_lowat":                 natural,
		"net.ipv4.tcp_orphan_retries":                small,
		"net.ipv4.tcp_retries1":                      small,
		"net.ipv4.tcp_retries2":                      small,
		"net.ipv4.tcp_rfc1337":                       boolean,
		"net.ipv4.tcp_rmem":                          {3, 4096, maxInt},
		"net.ipv4.tcp_sack":                          boolean,
		"net.ipv4.tcp_slow_start_after_idle":         boolean,
		"net.ipv4.tcp_syn_retries":                   small,
		"net.ipv4.tcp_synack_retries":                small,
		"net.ipv4.tcp_syncookies":                    boolean,
		"net.ipv4.tcp_timestamps":                    {1, 0, 2},
		"net.ipv4.tcp_tw_reuse":                      boolean,
		"net.ipv4.tcp_window_scaling":                boolean,
		"net.ipv4.tcp_wmem":                          {3, 4096, maxInt},
		"kernel.msgmax":                              natural,
		"kernel.msgmnb":                              natural,
		"kernel.msgmni":                              {1, 0, 32000},
		"kernel.sem":                                 {4, 1, 32000},
		"kernel.shm_rmid_forced":                     boolean,
		"kernel.shmmni":                              {1, 0, 32768},
	}
	for _, of := range []string{"all", "default", "lo"} {
		for _, leaf := range strings.Fields("accept_redirects accept_source_route arp_filter forwarding log_martians " +
			"promote_secondaries proxy_arp route_localnet secure_redirects send_redirects shared_media") {
			all["net.ipv4.conf."+of+"."+leaf] = boolean
		}
		for _, leaf := range strings.Fields("arp_announce arp_ignore rp_filter") {
			all["net.ipv4.conf."+of+"."+leaf] = bounds{1, 0, 2}
		}
	}
	return all
}

// ofModules are names that a module provides, and values that the kernel accepts if it has the module (Linux
// net/ipv6/addrconf.c, net/bridge/br_netfilter_hooks.c, net/netfilter/nf_conntrack_standalone.c).
var ofModules = namesOfModules()

func namesOfModules() map[string]bounds {
	all := map[string]bounds{
		"net.ipv6.bindv6only":                        boolean,
		"net.netfilter.nf_conntrack_tcp_be_liberal":  boolean,
		"net.netfilter.nf_conntrack_tcp_loose":       boolean,
		"net.netfilter.nf_conntrack_generic_timeout": {1, 1, 2000000},
		"net.netfilter.nf_conntrack_udp_timeout":     {1, 1, 2000000},
		"net.bridge.bridge-nf-call-iptables":         boolean,
		"net.bridge.bridge-nf-call-ip6tables":        boolean,
		"net.bridge.bridge-nf-call-arptables":        boolean,
	}
	for _, state := range strings.Fields("close close_wait established fin_wait last_ack syn_recv syn_sent time_wait") {
		all["net.netfilter.nf_conntrack_tcp_timeout_"+state] = bounds{1, 1, 2000000}
	}
	for _, of := range []string{"all", "default", "lo"} {
		for _, leaf := range strings.Fields("accept_redirects autoconf disable_ipv6 forwarding") {
			all["net.ipv6.conf."+of+"."+leaf] = boolean
		}
		all["net.ipv6.conf."+of+".accept_ra"] = bounds{1, 0, 2}
	}
	return all
}

// isOfPorts reports whether the kernel compares the value with that of another name: the range of local ports must not
// begin below the first unprivileged port.
func isOfPorts(name string) bool {
	return name == "net.ipv4.ip_local_port_range" || name == "net.ipv4.ip_unprivileged_port_start"
}

// isOfModule reports whether a pod has a name only if the node has a module. The annotation can make such a name
// optional.
func (s *setting) isOfModule(name string) bool {
	return sysctl.ModuleOf(name) != "" && s.fateOf(name) == fateTakes && !s.kernel.Guest
}

// existsEverywhere reports whether every pod has a name.
func (s *setting) existsEverywhere(name string) bool {
	_, ok := certain[name]
	return s.fateOf(name) == fateTakes && !s.kernel.Guest && (ok || ofEveryKernel(name) != nil)
}

// ofEveryKernel returns the catalogue's row for a name that every supported kernel has in each namespace without a
// module, and nil for other names.
func ofEveryKernel(name string) *sysctl.Parameter {
	p := sysctl.FindParameter(name)
	if p == nil || p.Until != "" || p.IsRecent() || p.Access != "" || sysctl.ModuleOf(name) != "" {
		return nil
	}
	since, err := version.ParseGeneric(p.Namespaced)
	if err != nil || version.MustParseGeneric(sysctl.OldestKernel).LessThan(since) {
		return nil
	}
	if of := interfaceOf(name); of != "" && of != "all" && of != "default" && of != "lo" {
		return nil
	}
	return p
}

// isNumber reports whether the value of a sysctl is one number, so that a shell can compare it.
func (s *setting) isNumber(name string) bool {
	if !s.existsEverywhere(name) {
		return false
	}
	if b, ok := certain[name]; ok {
		return b.fields == 1
	}
	p := ofEveryKernel(name)
	switch p.Type {
	case "int", "u8", "seconds", "milliseconds", "hundredths":
		return len(strings.Fields(p.Default)) == 1
	}
	return false
}

// isTaken reports whether every supported kernel accepts a value, according to the catalogue.
func isTaken(p *sysctl.Parameter, value string) bool {
	fields := strings.Fields(value)
	if len(p.Bounds) == 0 || p.Type == "text" || p.Type == "ports" || len(fields) != len(strings.Fields(p.Default)) {
		return false
	}
	for _, b := range p.Bounds {
		if b.AtMost {
			return false
		}
	}
	for _, field := range fields {
		if !sysctl.IsWholeNumber(field) {
			return false
		}
	}
	problem, warning := p.CheckValue(value)
	return problem == "" && warning == ""
}

// takesEverywhere reports whether the kernel of every node that has the name accepts the value.
func (s *setting) takesEverywhere(name, value string) bool {
	b, ok := certain[name]
	if !ok {
		b, ok = ofModules[name]
	}
	if s.hasPorts && isOfPorts(name) {
		return false
	}
	numbers := strings.Fields(value)
	if p := ofEveryKernel(name); !ok && p != nil && s.existsEverywhere(name) {
		return isTaken(p, value)
	}
	if !ok || len(numbers) != b.fields || s.fateOf(name) != fateTakes {
		return false
	}
	var last int64
	for _, n := range numbers {
		if !sysctl.IsWholeNumber(n) {
			return false
		}
		value, err := strconv.ParseInt(n, 10, 64)
		if err != nil || value < b.min || value > b.max {
			return false
		}
		if name == "net.ipv4.ip_local_port_range" && value <= last {
			return false
		}
		last = value
	}
	return true
}

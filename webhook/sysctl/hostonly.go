package sysctl

//go:generate go run gen_hostonly.go

// fileState is what became of a file below /proc/sys/net in a new network namespace.
type fileState int

const (
	absent   fileState = iota // it is not there
	readOnly                  // it was writable in the first namespace
	readable                  // it is read-only in the first namespace too
)

// observed is a row of the generated table. names is a pattern when a whole directory is absent.
type observed struct {
	names string
	state fileState
	file  string // where the kernel registers it; "" when not traced
}

// reasons are sentence fragments to follow the name.
var reasons = map[fileState]string{
	absent:   "belongs to the node: a pod's own network namespace does not have it",
	readOnly: "belongs to the node: it is read-only in a pod's own network namespace",
	readable: "cannot be set: it is read-only on every node",
}

// observedHostOnly turns what the generator saw into rows.
func observedHostOnly() []row {
	rows := make([]row, 0, len(observedRows))
	for _, s := range observedRows {
		source := "compared on Linux " + observedOnRelease
		if s.file != "" {
			source += "; Linux " + s.file
		}
		rows = append(rows, row{s.names, reasons[s.state], source})
	}
	return rows
}

// hostOnly is what the catalogue says of a parameter that no pod can set; nil if pods can. The tables above and below
// come first, since they say more, and the guard is made from them: they list what distributions' kernels have.
func (p *Parameter) hostOnly() *Note {
	source := "compared in Linux 4.19 to 6.18"
	switch {
	case p == nil || p.IsGone():
		return nil
	case p.Access == "read-only":
		return &Note{reasons[readable], source + "; Linux " + p.Source}
	case p.Namespaced == "no":
		return &Note{reasons[absent], source + "; Linux " + p.Source}
	}
	return nil
}

// readHostOnly are names that were read in the kernel's source: of modules that the generator's kernel lacks, and of
// files that a new network namespace has, writable by their mode, but does not isolate or never takes a value for. A
// later row wins over an observed one of the same name.
var readHostOnly = []row{
	// Its handler turns a static key of the whole kernel, in every namespace, and never back.
	{"net.netfilter.nf_hooks_lwtunnel", "is not isolated: writing it in a pod switches the whole node, until it " +
		"reboots", "Linux net/netfilter/nf_hooks_lwtunnel.c"},

	// Before these two were made read-only, a pod that wrote them changed the node; Kubernetes' documentation still
	// warns of it.
	{
		"net.netfilter.nf_conntrack_max", "belongs to the node: it is read-only in a pod's own network namespace, " +
			"and an older kernel would change it for the whole node",
		"Linux net/netfilter/nf_conntrack_standalone.c; kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster",
	},
	{
		"net.netfilter.nf_conntrack_expect_max",
		"belongs to the node: it is read-only in a pod's own network namespace, and an older kernel would change " +
			"it for the whole node",
		"Linux net/netfilter/nf_conntrack_standalone.c; kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster",
	},

	// Its mode says that root may write it.
	{
		"net.ipv6.conf.all.stable_secret", "cannot be set: every kernel rejects it, and takes " +
			"net.ipv6.conf.default.stable_secret in its place",
		"Linux Documentation/networking/ip-sysctl.rst (stable_secret)",
	},

	{"net.ipv4.vs.debug_level", reasons[readOnly], "Linux net/netfilter/ipvs/ip_vs_ctl.c (commit 174c37627894)"},
	{"net.sctp.sctp_mem", reasons[absent], "Linux net/sctp/sysctl.c (sctp_table)"},
	{"net.sctp.sctp_rmem", reasons[absent], "Linux net/sctp/sysctl.c (sctp_table)"},
	{"net.sctp.sctp_wmem", reasons[absent], "Linux net/sctp/sysctl.c (sctp_table)"},
	{"net.tipc.*", reasons[absent], "Linux net/tipc/sysctl.c (tipc_table)"},
}

package sysctl

//go:generate go run gen_hostonly.go

// fileState says how a new network namespace shows a file below /proc/sys/net.
type fileState int

const (
	absent   fileState = iota // it does not exist
	readOnly                  // it is read-only, but writable in the initial namespace
	readable                  // it is read-only, as in the initial namespace
)

// observed is a row of the generated table. names is a pattern if a whole directory is absent.
type observed struct {
	names string
	state fileState
	file  string // kernel file that registers it; "" if unknown
}

// reasons complete a sentence that begins with the name.
var reasons = map[fileState]string{
	absent:   "belongs to the node: a pod's own network namespace does not have it",
	readOnly: "belongs to the node: it is read-only in a pod's own network namespace",
	readable: "cannot be set: it is read-only on every node",
}

// observedHostOnly returns the rows that the generator found.
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

// hostOnly returns why no pod can set a parameter, or nil if pods can, as the catalogue says. Lookup prefers the tables
// in this file and in hostonly_generated.go, since they say more. The guard is generated from those tables, which list
// the names in the kernels of distributions.
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

// readHostOnly are names found by reading the kernel's source: names of modules that the generator's kernel lacks, and
// files that are writable by mode in a new network namespace but are not isolated, or reject every value. These rows
// override observed rows of the same name.
var readHostOnly = []row{
	// The handler enables a static key of the whole kernel from any namespace, and nothing disables it again.
	{"net.netfilter.nf_hooks_lwtunnel", "is not isolated: writing it in a pod changes the whole node until it reboots",
		"Linux net/netfilter/nf_hooks_lwtunnel.c"},

	// Older kernels have these two writable in a pod, where they change the node. The documentation of Kubernetes still
	// warns about it.
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

	// By its mode, root may write it.
	{
		"net.ipv6.conf.all.stable_secret",
		"cannot be set: every kernel rejects it, and takes net.ipv6.conf.default.stable_secret instead",
		"Linux Documentation/networking/ip-sysctl.rst (stable_secret)",
	},

	{"net.ipv4.vs.debug_level", reasons[readOnly], "Linux net/netfilter/ipvs/ip_vs_ctl.c (commit 174c37627894)"},
	{"net.sctp.sctp_mem", reasons[absent], "Linux net/sctp/sysctl.c (sctp_table)"},
	{"net.sctp.sctp_rmem", reasons[absent], "Linux net/sctp/sysctl.c (sctp_table)"},
	{"net.sctp.sctp_wmem", reasons[absent], "Linux net/sctp/sysctl.c (sctp_table)"},
	{"net.tipc.*", reasons[absent], "Linux net/tipc/sysctl.c (tipc_table)"},
}

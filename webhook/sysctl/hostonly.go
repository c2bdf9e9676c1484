package sysctl

//go:generate go run gen_hostonly.go

// FileState is why no pod can set a name of network scope: how a pod's own network namespace shows its file below
// /proc/sys/net, or what a write does there.
type FileState int

// The states of a file.
const (
	Absent       FileState = iota + 1 // it does not exist
	ReadOnly                          // it is read-only, but writable in the initial namespace
	Readable                          // it is read-only, as in the initial namespace
	Rejected                          // it is writable by mode, and rejects every value
	Shared                            // a write changes the whole node
	SharedBefore                      // it is read-only; in older kernels, a write changes the whole node
)

// observed is a row of the generated table. names is a pattern if a whole directory is absent.
type observed struct {
	names string
	state FileState
	file  string // kernel file that registers it; "" if unknown
}

// reasons complete a sentence that begins with the name.
var reasons = map[FileState]string{
	Absent:   "belongs to the node: a pod's own network namespace does not have it",
	ReadOnly: "belongs to the node: it is read-only in a pod's own network namespace",
	Readable: "cannot be set: it is read-only on every node",
	Rejected: "cannot be set: every kernel rejects it, and takes net.ipv6.conf.default.stable_secret instead",
	Shared:   "is not isolated: writing it in a pod changes the whole node until it reboots",
	SharedBefore: "belongs to the node: it is read-only in a pod's own network namespace, and an older kernel would " +
		"change it for the whole node",
}

// hostRow gives one name or pattern its state.
type hostRow struct {
	names  string
	state  FileState
	source string
}

func (r hostRow) note() (names string, note Note) {
	return r.names, Note{reasons[r.state], r.source, r.state}
}

// observedHostOnly returns the rows that the generator found.
func observedHostOnly() []hostRow {
	rows := make([]hostRow, 0, len(observedRows))
	for _, s := range observedRows {
		source := "compared on Linux " + observedOnRelease
		if s.file != "" {
			source += "; Linux " + s.file
		}
		rows = append(rows, hostRow{s.names, s.state, source})
	}
	return rows
}

// hostOnly returns why no pod can set a parameter, or nil if pods can, as the catalogue says. Lookup prefers the tables
// in this file and in hostonly_generated.go, since they say more. The guard is generated from those tables, which list
// the names in the kernels of distributions.
func (p *Parameter) hostOnly() *Note {
	var state FileState
	switch {
	case p == nil || p.IsGone():
		return nil
	case p.Access == "read-only":
		state = Readable
	case p.Namespaced == "no":
		state = Absent
	default:
		return nil
	}
	return &Note{reasons[state], "compared in Linux 4.19 to 6.18; Linux " + p.Source, state}
}

// readHostOnly are names found by reading the kernel's source: names of modules that the generator's kernel lacks, and
// files that are writable by mode in a new network namespace but are not isolated, or reject every value. These rows
// override observed rows of the same name.
var readHostOnly = []hostRow{
	// The handler enables a static key of the whole kernel from any namespace, and nothing disables it again.
	{"net.netfilter.nf_hooks_lwtunnel", Shared, "Linux net/netfilter/nf_hooks_lwtunnel.c"},

	// Older kernels have these two writable in a pod, where they change the node. The documentation of Kubernetes still
	// warns about it.
	{
		"net.netfilter.nf_conntrack_max", SharedBefore,
		"Linux net/netfilter/nf_conntrack_standalone.c; kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster",
	},
	{
		"net.netfilter.nf_conntrack_expect_max", SharedBefore,
		"Linux net/netfilter/nf_conntrack_standalone.c; kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster",
	},

	// By its mode, root may write it.
	{
		"net.ipv6.conf.all.stable_secret", Rejected,
		"Linux Documentation/networking/ip-sysctl.rst (stable_secret)",
	},

	{"net.ipv4.vs.debug_level", ReadOnly, "Linux net/netfilter/ipvs/ip_vs_ctl.c (commit 174c37627894)"},
	{"net.sctp.sctp_mem", Absent, "Linux net/sctp/sysctl.c (sctp_table)"},
	{"net.sctp.sctp_rmem", Absent, "Linux net/sctp/sysctl.c (sctp_table)"},
	{"net.sctp.sctp_wmem", Absent, "Linux net/sctp/sysctl.c (sctp_table)"},
	{"net.tipc.*", Absent, "Linux net/tipc/sysctl.c (tipc_table)"},
}

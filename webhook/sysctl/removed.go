package sysctl

import (
	"fmt"
	"strings"
)

// removed are names that no supported kernel has, with facts that the catalogue lacks: the release that removed them,
// or the name that replaced them.
var removed = []struct {
	pattern string
	since   string // Linux release
	instead string // "*" stands for the rest of the name
	source  string
}{
	{"net.ipv4.tcp_tw_recycle", "4.12", "", "Linux commit 4396e46187ca (tcp: remove tcp_tw_recycle)"},
	{"net.ipv4.ip_conntrack_*", "", "net.netfilter.nf_conntrack_*",
		"Linux net/netfilter/nf_conntrack_standalone.c, which replaced ip_conntrack"},
	{"net.ipv4.netfilter.ip_conntrack_*", "", "net.netfilter.nf_conntrack_*",
		"Linux net/ipv4/netfilter/nf_conntrack_l3proto_ipv4.c (3.10), absent in 4.9"},
}

// Removal describes a name that no supported kernel has any more.
type Removal struct {
	Since   string // the Linux release that removed it, if known
	Last    string // the last release in the catalogue that has it, if any
	Instead string // the name that replaced it, if any
	Source  string
}

// FindRemoval returns the removal of a name, or nil if it is not known that the name was removed.
func FindRemoval(name string) *Removal {
	p := FindParameter(name)
	var found *Removal
	if p != nil && p.IsGone() {
		found = &Removal{Last: p.Until, Source: "Linux " + p.Source + ", compared in the source trees of the catalogue"}
	}
	for _, r := range removed {
		prefix, isPrefix := strings.CutSuffix(r.pattern, "*")
		rest, matches := strings.CutPrefix(name, prefix)
		if !matches || !isPrefix && rest != "" {
			continue
		}
		if found == nil {
			found = &Removal{}
		}
		found.Since, found.Source = r.since, r.source
		if instead := strings.Replace(r.instead, "*", rest, 1); IsKnown(instead) {
			found.Instead = instead
		}
	}
	return found
}

// String says when the sysctl was removed and what to use instead. It completes a sentence that begins with the
// sysctl's name.
func (r *Removal) String() string {
	text := "does not exist in Linux " + OldestKernel + " or later"
	switch {
	case r.Since != "":
		text = "does not exist since Linux " + r.Since
	case r.Last != "":
		text += fmt.Sprintf(" (Linux %s had it)", r.Last)
	}
	if r.Instead != "" {
		return text + ": use " + r.Instead
	}
	return text + ": remove it"
}

//go:build linux

package main

import (
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

var (
	pathsSince      = version.MustParseGeneric("3.5")
	oldestSupported = version.MustParseGeneric("4.19")
)

// isOld reports whether a release is older than the supported ones. Old releases only show which names existed.
func (r *release) isOld() bool { return version.MustParseGeneric(r.version).LessThan(oldestSupported) }

type catalogue struct {
	releases []*release
	observed map[string]*observed
	pages    map[string]string // the text of each documentation page, by its path without extension
}

func (c *catalogue) newest() *release { return c.releases[len(c.releases)-1] }

// patched are names that exist only because a distribution patched the source tree.
var patched = map[string]bool{
	"net.netfilter.nf_conntrack_tcp_no_window_check": true, // OpenWrt
}

// names returns the sorted names of all releases and of the running kernel.
func (c *catalogue) names() []string {
	all := map[string]bool{}
	for _, r := range c.releases {
		for name := range r.parameters {
			all[name] = ofIPC.MatchString(name) || strings.HasPrefix(name, "net.")
		}
	}
	for name := range c.observed {
		all[name] = true
	}
	maps.DeleteFunc(all, func(name string, wanted bool) bool {
		return !wanted || patched[name] || strings.Contains(name, ".neigh.default.") &&
			!strings.Contains(name, ".gc_") // the node has neigh.default.gc_*
	})
	return slices.Sorted(maps.Keys(all))
}

// row returns the columns of one name. Package sysctl documents them.
func (c *catalogue) row(name string) []string {
	o := c.observed[name]
	if o == nil {
		o = &observed{}
	}
	var having []*release
	for _, r := range c.releases {
		if _, ok := r.parameters[name]; ok {
			having = append(having, r)
		}
	}
	columns := []string{name, c.kind(name, having, o), "", "", o.content, c.kernels(having, o),
		c.namespaced(name, having, o), c.access(name, having, o)}
	if supported := slices.DeleteFunc(slices.Clone(having), (*release).isOld); len(supported) > 0 || len(having) == 0 {
		columns[2], columns[3] = c.bounds(name, supported, o)
	}
	source := "running kernel"
	if len(having) > 0 {
		source = having[len(having)-1].parameters[name].file
	}
	columns = append(columns, source, c.page(name))
	for i := range columns {
		columns[i] = strings.Join(strings.Fields(columns[i]), " ")
	}
	return columns
}

func (c *catalogue) kind(name string, having []*release, o *observed) string {
	for _, r := range slices.Backward(having) {
		if word, _ := r.declared(name); word != "" {
			return word
		}
	}
	if o.measured.known() {
		return "int"
	}
	return "text"
}

// kernels returns the releases that have a name: "5.10-" since 5.10, "4.19-6.6" from 4.19 to 6.6.
func (c *catalogue) kernels(having []*release, o *observed) string {
	if len(having) == 0 {
		return "" // the kernel builds the name at run time
	}
	text := having[0].version + "-"
	if last := having[len(having)-1]; last != c.newest() && !o.inNode {
		text += last.version
	}
	return text
}

// namespaced returns the first release in which each namespace has its own, or "no".
func (c *catalogue) namespaced(name string, having []*release, o *observed) string {
	for _, r := range having {
		// Before 3.5, tables were registered in ways that readRelease does not understand.
		if r.parameters[name].namespaced && !version.MustParseGeneric(r.version).LessThan(pathsSince) {
			return r.version
		}
	}
	if o.inPod {
		return c.releases[0].version
	}
	return "no"
}

func (c *catalogue) access(name string, having []*release, o *observed) string {
	var p parameter
	if len(having) > 0 {
		p = having[len(having)-1].parameters[name]
	}
	switch {
	case p.writeOnly:
		return "write-only"
	case ofIPC.MatchString(name): // the mode depends on CAP_CHECKPOINT_RESTORE, which a privileged container has
	case o.inPod && !o.writable, !o.inNode && len(having) > 0 && !p.writable:
		return "read-only"
	}
	return ""
}

// bounds returns the bounds by release, and the narrower ones that another parameter sets in a new namespace.
func (c *catalogue) bounds(name string, having []*release, o *observed) (byRelease, usual string) {
	now := o.measured
	if len(having) > 0 {
		word, declared := having[len(having)-1].declared(name)
		if word == "mask" { // its width is the number of processors
			return bounds{}.String(), ""
		}
		if declared.known() {
			now = declared
		}
		storesOne := having[len(having)-1].parameters[name].handler == "brnf_sysctl_call_tables" // for any number but 0
		switch narrower := o.measured.known() && !o.measured.equal(now); {
		case narrower && (word == "seconds" || word == "milliseconds" || word == "hundredths"):
			now = tighten(declared, o.measured)
		case narrower && o.fields == 1 && !storesOne:
			usual = o.measured.String()
		}
	}
	var texts []string
	for _, r := range having {
		_, b := r.declared(name)
		atMost := ""
		if sameHandler(r, having[len(having)-1], name) || having[len(having)-1] == r || b.known() &&
			b.equal(c.lastDeclared(name, having)) {
			b = now
		}
		if !b.known() {
			if b = r.widest(name); b.known() && !b.equal(now) {
				atMost = "~"
			}
		}
		texts = append(texts, atMost+b.String())
	}
	last := ""
	for i, text := range texts {
		if text == last {
			continue
		}
		last = text
		if i > 0 {
			text = having[i].version + ":" + text
		}
		byRelease += " " + text
	}
	if len(having) == 0 && now.known() {
		byRelease = now.String()
	}
	return byRelease, usual
}

func (c *catalogue) lastDeclared(name string, having []*release) bounds {
	_, b := having[len(having)-1].declared(name)
	return b
}

// tighten returns the declared bounds, with the measured ends that do not depend on the running kernel's tick rate.
func tighten(declared, measured bounds) bounds {
	const small = 1000
	if measured.low.CmpAbs(big.NewInt(small)) <= 0 {
		declared.low = measured.low
	}
	if measured.high.CmpAbs(big.NewInt(small)) <= 0 {
		declared.high = measured.high
	}
	return declared
}

var pageFiles = []string{
	"networking/ip-sysctl", "networking/nf_conntrack-sysctl", "networking/ipvs-sysctl", "networking/mptcp-sysctl",
	"networking/smc-sysctl", "networking/mpls-sysctl", "networking/seg6-sysctl", "networking/xfrm_sysctl",
	"admin-guide/sysctl/net", "admin-guide/sysctl/kernel", "admin-guide/sysctl/fs",
}

// page returns the first page of the newest documentation on which a line begins with the last word of a name.
func (c *catalogue) page(name string) string {
	if c.pages == nil {
		c.pages = map[string]string{}
		for _, page := range pageFiles {
			content, _ := os.ReadFile(filepath.Join(c.newest().tree, "Documentation", page+".rst"))
			c.pages[page] = string(content)
		}
	}
	leaf := regexp.MustCompile(`(?m)^(?:[\w/, -]+ and |[\w/]+, )*` +
		regexp.QuoteMeta(name[strings.LastIndex(name, ".")+1:]) + `\b`)
	for _, page := range pageFiles {
		inFolder := strings.HasPrefix(name, "net.") == (strings.HasPrefix(page, "networking/") ||
			page == "admin-guide/sysctl/net")
		if inFolder && leaf.MatchString(c.pages[page]) {
			return page
		}
	}
	return ""
}

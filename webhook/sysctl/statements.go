package sysctl

import (
	"fmt"
	"slices"
)

// Statement is one fact about a sysctl with its source. The text is a sentence without its subject, the sysctl.
type Statement struct {
	About  string `json:"about"` // a stable keyword: default, bounds, ...
	Text   string `json:"text"`
	Source string `json:"source"`
}

// Statements returns all facts of the catalogue about a name, in reading order.
func Statements(name string) []Statement {
	var all []Statement
	add := func(about, text, source string) {
		if text != "" {
			all = append(all, Statement{about, text, source})
		}
	}
	entry := Lookup(name)
	add("scope", scopeText(entry.Scope), scopeSource(entry.Scope))
	if r := FindRemoval(name); r != nil {
		add("kernels", r.String(), r.Source)
		return all
	}
	for about, note := range map[string]*Note{"forbidden": entry.Forbidden, "pod": entry.HostOnly} {
		if note != nil {
			add(about, note.Reason, note.Source)
		}
	}
	p := FindParameter(name)
	if p == nil {
		if !IsKnown(name) {
			add("known", "is not in the catalogue", "webhook/sysctl/catalogue.tsv, names.txt")
		}
		return all
	}
	table := "Linux " + p.Source
	add("kernels", p.kernelsText(), table+" ("+catalogueOrigin+")")
	if text, source := p.namespacedText(name); entry.HostOnly == nil {
		add("namespaced", text, source)
	}
	if entry.SafeSince != "" {
		add("safe", "is safe since Kubernetes "+entry.SafeSince+": any pod may set it in spec.securityContext.sysctls",
			sourceOf(safeSince, name))
	}
	if entry.HostOnly == nil {
		add("default", p.defaultText(), "read in a new namespace; "+catalogueOrigin)
		for _, change := range defaultChanges {
			if change.name == p.Name {
				add("default", change.text, change.source)
			}
		}
	}
	add("bounds", p.BoundsText(), table+", and written to the running kernel")
	add("condition", conditions[p.Name], table)
	if format, ok := formats[p.Name]; ok {
		add("format", format.text, format.source)
	}
	if name == "net.ipv4.tcp_congestion_control" {
		add("condition", congestionNote, "Linux net/ipv4/tcp_cong.c, commit 8d432592f30f")
	}
	for _, effect := range effects {
		if slices.Contains(effect.names, p.Name) {
			add("effect", effect.text, effect.source)
		}
	}
	if module := ModuleOf(name); module != "" {
		add("module", "comes with the kernel module "+module, moduleSource(name))
	}
	return all
}

// DocumentationURL returns the page on docs.kernel.org that documents the parameter, or "".
func (p *Parameter) DocumentationURL() string {
	if p == nil || p.Documentation == "" {
		return ""
	}
	return "https://docs.kernel.org/" + p.Documentation + ".html"
}

func (p *Parameter) kernelsText() string {
	switch {
	case p.Since == "":
		return ""
	case p.Until != "":
		return fmt.Sprintf("is in Linux %s to %s, and not in the next release that was read", p.Since, p.Until)
	case p.IsRecent():
		return fmt.Sprintf("is in Linux %s and later, and not in the release before it that was read", p.Since)
	}
	return "is in every supported kernel"
}

func (p *Parameter) namespacedText(name string) (text, source string) {
	if release := releases.namespaced[name]; release != "" {
		return "is per pod since Linux " + release, sourceOf(namespacedSince, name)
	}
	if since := p.inPodsSince(); since != "" && since != p.Since {
		return "is per pod in Linux " + since + " and later, and not in the release before it that was read",
			"Linux " + p.Source
	}
	return "", ""
}

func (p *Parameter) defaultText() string {
	switch {
	case p.Access == "write-only":
		return "is write-only: writing it triggers an action, and it keeps no value"
	case p.Default == "":
		return ""
	case p.DefaultDependsOnNode():
		return fmt.Sprintf("starts with a value that depends on the node (%s where the catalogue was made)", p.Default)
	}
	return "starts with " + p.Default
}

// NewestBounds describes the values that the newest kernel accepts.
func (p *Parameter) NewestBounds() string {
	if p.Type == "ports" {
		return "list of numbers"
	}
	if !p.isNumeric() {
		return "text"
	}
	b := p.Bounds[len(p.Bounds)-1]
	if b.isUnknown() {
		return "numbers"
	}
	return b.String() + p.unit()
}

// BoundsText describes which values the kernel accepts, by release if that changed. It returns "" if that is unknown.
func (p *Parameter) BoundsText() string {
	if p.Type == "ports" {
		return "takes a list of numbers and ranges, such as 8080,9148-9150"
	}
	if !p.isNumeric() {
		return ""
	}
	newest := p.Bounds[len(p.Bounds)-1]
	text := "takes " + newest.String()
	switch {
	case len(p.Bounds) > 2 || newest.isUnknown():
		wide := widest(p.Bounds)
		if wide.isUnknown() {
			return "takes whole numbers; their bounds are not known"
		}
		text = "takes " + wide.String() + " at most, depending on the kernel"
	case len(p.Bounds) == 2 && p.Bounds[0].AtMost:
		text += " since Linux " + newest.From
	case len(p.Bounds) == 2:
		text += " since Linux " + newest.From + ", and " + p.Bounds[0].String() + " before"
	}
	text += p.unit()
	if p.Usual != nil {
		text += fmt.Sprintf("; in a new pod %s, where another sysctl sets the bounds", p.Usual)
	}
	return text
}

func scopeText(scope Scope) string {
	switch scope {
	case Network:
		return "belongs to the network namespace"
	case IPC:
		return "belongs to the IPC namespace"
	}
	return "belongs to the node: no namespace isolates it"
}

func scopeSource(scope Scope) string {
	switch scope {
	case Network:
		return "Linux net/sysctl_net.c"
	case IPC:
		return "Linux ipc/ipc_sysctl.c, ipc/mq_sysctl.c"
	}
	return "kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster"
}

func sourceOf(table []release, name string) string {
	for _, r := range table {
		if slices.Contains(r.names, name) {
			return r.source
		}
	}
	return ""
}

func moduleSource(name string) string {
	for _, o := range optional {
		if o.pattern.Matches(name) {
			return "Linux " + o.source
		}
	}
	return ""
}

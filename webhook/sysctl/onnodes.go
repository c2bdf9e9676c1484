package sysctl

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
)

// OnNodes returns warnings about an allowed assignment: on which nodes it fails, so that the pod does not start. Each
// warning completes a sentence that begins with the sysctl's name.
func OnNodes(a Assignment) []string {
	var texts []string
	add := func(text string) {
		if text != "" {
			texts = append(texts, text)
		}
	}
	if !IsKnown(a.Name) {
		if known := Suggest(a.Name); known != "" {
			add("is not a sysctl that sysctl-injector knows; did you mean " + known + "?")
		}
	}
	if a.Name == "net.ipv4.tcp_congestion_control" && a.Value != "reno" {
		add(congestionNote)
	}
	p := FindParameter(a.Name)
	if p == nil {
		return texts
	}
	_, warning := p.Check(a)
	add(warning)
	if a.Optional {
		return texts
	}
	if p.Until != "" {
		add(fmt.Sprintf("does not exist in kernels newer than Linux %s: there, the pod will not start", p.Until))
	}
	if since := p.inPodsSince(); since != "" && releases.namespaced[a.Name] == "" {
		add(fmt.Sprintf("can be set in a pod on Linux %s; on a node with an older kernel the pod may not start", since))
	}
	if module := ModuleOf(a.Name); module != "" && module != "ipv6" {
		add(fmt.Sprintf("comes with the kernel module %s; on a node that has not loaded it the pod will not "+
			"start", module))
	}
	return texts
}

// congestionNote describes the values of net.ipv4.tcp_congestion_control. Every kernel has reno, and allows it
// everywhere. Source: Linux net/ipv4/tcp_cong.c, tcp_set_default_congestion_control, and commit 8d432592f30f (5.13).
const congestionNote = "takes reno, bbr if the node has it, and otherwise only what the node itself uses or lists in " +
	"its net.ipv4.tcp_allowed_congestion_control; " +
	`other values fail with "Operation not permitted"`

// inPodsSince returns the first release of the catalogue in which pods have the parameter, if some supported kernel is
// older, and "" otherwise.
func (p *Parameter) inPodsSince() string {
	if p.Namespaced == "no" {
		return ""
	}
	if !version.MustParseGeneric(OldestKernel).LessThan(version.MustParseGeneric(p.Namespaced)) {
		return ""
	}
	return p.Namespaced
}

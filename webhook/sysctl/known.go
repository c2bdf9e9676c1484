package sysctl

import (
	_ "embed"
	"slices"
	"strings"
)

// namesFile lists the names that kernels have: those of Linux 6.18.44, those of modules that it lacks, and those of older kernels back
// to 4.4, from Linux Documentation/admin-guide/sysctl and Documentation/networking. "*" stands for a network interface.
//
//go:embed names.txt
var namesFile string

// spelledOut holds every known name. Nothing changes it.
var spelledOut = expand(strings.Fields(namesFile))

// IsKnown reports whether the catalogue spells out a name, or the same name for the interface of which its interface is a VLAN. A name that
// only a pattern of the catalogue covers is not known: it need not exist.
func IsKnown(name string) bool {
	if parameter, isVLAN := untagged(name); isVLAN {
		name = parameter
	}
	if spelledOut[name] || releases.namespaced[name] != "" || releases.safe[name] != "" {
		return true
	}
	_, hostOnlyName := hostOnly.exact[name]
	_, forbiddenName := forbidden.exact[name]
	return hostOnlyName || forbiddenName
}

func expand(names []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		words := strings.Split(name, ".")
		at := slices.Index(words, "*")
		if at < 0 {
			all[name] = true
			continue
		}
		for _, words[at] = range interfaces {
			all[strings.Join(words, ".")] = true
		}
	}
	return all
}

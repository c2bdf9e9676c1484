package sysctl

import (
	_ "embed"
	"strings"
)

// namesFile lists the names that are in no namespace, of kernels from 4.4 to 6.18, from Linux
// Documentation/admin-guide/sysctl. Those below net.* and of IPC namespaces are in the catalogue.
//
//go:embed names.txt
var namesFile string

// spelledOut holds every known name. Nothing changes it.
var spelledOut = spellOut()

// IsKnown reports whether the catalogue spells out a name that some supported kernel has, or the same name for the
// interface of which its interface is a VLAN. A name that only a pattern of the catalogue covers is not known: it
// need not exist.
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

func spellOut() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(namesFile) {
		all[name] = true
	}
	for pattern, parameter := range parameters {
		switch words := strings.Split(pattern, "."); {
		case parameter.IsGone():
		case !strings.Contains(pattern, "*"):
			all[pattern] = true
		default:
			for _, words[3] = range interfaces {
				if name := strings.Join(words, "."); wildcard(name) != "" {
					all[name] = true
				}
			}
		}
	}
	return all
}

package sysctl

import (
	_ "embed"
	"strings"
)

// namesFile lists the names of node scope in kernels from 4.4 to 6.18, from Linux Documentation/admin-guide/sysctl. The
// catalogue has the names below net.* and those of the IPC namespace.
//
//go:embed names.txt
var namesFile string

// spelledOut holds the names of namesFile and of the catalogue. It is read-only.
var spelledOut = spellOut()

// IsKnown reports whether some supported kernel has a name, as the package's tables spell it out. A parameter of a VLAN
// is known if the interface has it. A name that only matches a pattern of a table is not known: it may not exist.
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

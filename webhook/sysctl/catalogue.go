package sysctl

import (
	"iter"
	"maps"
	"slices"
)

// Entry is what the catalogue knows of one name.
type Entry struct {
	Name  string
	Scope Scope

	// HostOnly says, for a name of network scope, why it cannot be set in a pod's own network namespace: absent
	// there, read-only there, rejected whatever the value, or not isolated though writable. nil when it can be set
	// there.
	HostOnly *Note

	// NamespacedSince is the Linux release ("4.15") from which each namespace has a copy, where that is 4.x or later;
	// "" otherwise. On an older kernel it does not exist in a pod, and setting it fails.
	NamespacedSince string

	// SafeSince is the Kubernetes release ("1.29") from which it counts as safe, which no kubelet needs to allow; ""
	// when it is unsafe.
	SafeSince string

	// Forbidden says why it is never set on a shared kernel, whatever a policy allows: it runs code, stops the node
	// or takes protection away. nil for all others.
	Forbidden *Note
}

// Note is a reason and where it can be checked.
type Note struct {
	Reason string // sentence fragment for a person, to follow the name: "belongs to the node: ..."
	Source string // kernel or Kubernetes file, documentation or commit
}

// Lookup returns what is known of a name in dot form. A name that is in no table has its scope and nothing else.
func Lookup(name string) Entry {
	entry := Entry{
		Name:            name,
		Scope:           ScopeOf(name),
		NamespacedSince: releases.namespaced[name],
		SafeSince:       releases.safe[name],
	}
	if entry.Scope == Network {
		if entry.HostOnly = hostOnly.find(name); entry.HostOnly == nil {
			entry.HostOnly = FindParameter(name).hostOnly()
		}
	}
	entry.Forbidden = forbidden.find(name)
	return entry
}

// Known yields, sorted by name, an entry for every name that a table of the catalogue spells out. Names that only a
// pattern covers (kernel.panic*) are not among them.
func Known() iter.Seq[Entry] {
	names := map[string]bool{}
	for _, table := range []map[string]string{releases.namespaced, releases.safe} {
		for name := range table {
			names[name] = true
		}
	}
	for _, table := range []notes{hostOnly, forbidden} {
		for name := range table.exact {
			names[name] = true
		}
	}
	return func(yield func(Entry) bool) {
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if !yield(Lookup(name)) {
				return
			}
		}
	}
}

// The tables, indexed once. Nothing changes them.
var (
	hostOnly  = index(slices.Concat(observedHostOnly(), readHostOnly))
	forbidden = index(neverShared)
	releases  = struct{ namespaced, safe map[string]string }{
		namespaced: byName(namespacedSince),
		safe:       byName(safeSince),
	}
)

// row gives one name or pattern ("net.tipc.*") its note.
type row struct {
	names  string
	reason string
	source string
}

// notes is an index of rows.
type notes struct {
	exact    map[string]Note
	prefixes []prefixNote
}

type prefixNote struct {
	pattern Pattern
	note    Note
}

// index panics on a name that is no pattern: the tables are constants, and a test loads them.
func index(rows []row) notes {
	indexed := notes{exact: make(map[string]Note, len(rows))}
	for _, r := range rows {
		pattern, err := ParsePattern(r.names)
		if err != nil {
			panic("sysctl catalogue: " + r.names + ": " + err.Error())
		}
		note := Note{Reason: r.reason, Source: r.source}
		if pattern.prefix {
			indexed.prefixes = append(indexed.prefixes, prefixNote{pattern, note})
		} else {
			indexed.exact[r.names] = note
		}
	}
	return indexed
}

// find returns a copy of the note, so that no caller can change the table.
func (n notes) find(name string) *Note {
	if note, ok := n.exact[name]; ok {
		found := note // not the variable above, which would then be allocated for every name
		return &found
	}
	for _, p := range n.prefixes {
		if p.pattern.Matches(name) {
			note := p.note
			return &note
		}
	}
	return nil
}

// release is a row of a table of releases: the names that changed in it.
type release struct {
	version string
	source  string
	names   []string
}

func byName(table []release) map[string]string {
	indexed := map[string]string{}
	for _, r := range table {
		for _, name := range r.names {
			indexed[name] = r.version
		}
	}
	return indexed
}

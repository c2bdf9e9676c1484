package sysctl

import (
	"iter"
	"maps"
	"slices"
)

// Entry describes one name of the catalogue.
type Entry struct {
	Name  string
	Scope Scope

	// HostOnly says why a name of network scope cannot be set in a pod's own network namespace: it is absent there,
	// read-only there, rejects every value, or is writable but not isolated. It is nil if a pod can set the name.
	HostOnly *Note

	// NamespacedSince is the first Linux release ("4.15") in which each namespace has a copy, or "" if that release is
	// older than 4.0 or unknown. On an older kernel, a pod does not have the name, and setting it fails.
	NamespacedSince string

	// SafeSince is the first Kubernetes release ("1.29") that counts the name as safe, so that the kubelet allows it by
	// default. It is "" if the name is unsafe.
	SafeSince string

	// Forbidden says why the name must never be set on a shared kernel, even if a policy allows it: it runs code, stops
	// the node or removes protection. It is nil for all other names.
	Forbidden *Note
}

// Note is a reason with its source.
type Note struct {
	Reason string    // completes a sentence that begins with the name: "belongs to the node: ..."
	Source string    // file of the kernel or of Kubernetes, documentation, or commit
	State  FileState // 0 except in Entry.HostOnly
}

// Lookup returns the entry of a name in dot form. For a name that is in no table, only the name and scope are set.
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

// Known yields an entry for every name that a table of the catalogue spells out, sorted by name. It leaves out names
// that only match a pattern (kernel.panic*).
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
	hostOnly  = index(slices.Concat(observedHostOnly(), readHostOnly), hostRow.note)
	forbidden = index(neverShared, row.note)
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

func (r row) note() (names string, note Note) {
	return r.names, Note{Reason: r.reason, Source: r.source}
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

// index panics on a name that is not a valid pattern. The tables are constants, and a test loads them.
func index[Row any](rows []Row, noteOf func(Row) (names string, note Note)) notes {
	indexed := notes{exact: make(map[string]Note, len(rows))}
	for _, r := range rows {
		names, note := noteOf(r)
		pattern, err := ParsePattern(names)
		if err != nil {
			panic("sysctl catalogue: " + names + ": " + err.Error())
		}
		if pattern.prefix {
			indexed.prefixes = append(indexed.prefixes, prefixNote{pattern, note})
		} else {
			indexed.exact[names] = note
		}
	}
	return indexed
}

// find returns a copy of the note, so that callers cannot change the table.
func (n notes) find(name string) *Note {
	if note, ok := n.exact[name]; ok {
		found := note // a pointer to note itself would allocate on every call, found or not
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

// release lists the names that changed in one release.
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

package sysctl

import (
	"errors"
	"strings"
)

// Pattern is an exact name, or a prefix with a trailing "*" as in the kubelet's --allowed-unsafe-sysctls:
// "net.*", "kernel.shm*"; "*" alone matches every name. The zero Pattern matches no name. Patterns can be compared with ==.
type Pattern struct {
	text   string // without the "*"
	prefix bool
}

// ParsePattern reads a pattern in dot or slash form. The error is a sentence for the person who wrote the pattern.
func ParsePattern(s string) (Pattern, error) {
	text, prefix := strings.CutSuffix(s, "*")
	if strings.Contains(text, "*") {
		return Pattern{}, errors.New(`a "*" is allowed at the end of a pattern only, as in net.ipv4.*`)
	}
	if !prefix {
		name, err := ParseName(text)
		return Pattern{text: name}, err
	}
	if text == "" {
		return Pattern{prefix: true}, nil
	}
	// A prefix is well formed where some name begins with it; the shortest such name differs by how the prefix ends.
	rest := "x.x"
	if strings.ContainsAny(text, "./") {
		rest = "x"
	}
	name, err := ParseName(text + rest)
	if err != nil {
		return Pattern{}, err
	}
	return Pattern{text: strings.TrimSuffix(name, rest), prefix: true}, nil
}

// Matches reports whether a name in dot form is the pattern's, or begins with its prefix.
func (p Pattern) Matches(name string) bool {
	if p.prefix {
		return strings.HasPrefix(name, p.text)
	}
	return p.text != "" && name == p.text
}

// Prefix returns what the names that a pattern matches begin with; ok is false for an exact name.
func (p Pattern) Prefix() (prefix string, ok bool) {
	if !p.prefix {
		return "", false
	}
	return p.text, true
}

// String returns the pattern in dot form, with its "*".
func (p Pattern) String() string {
	if p.prefix {
		return p.text + "*"
	}
	return p.text
}

package sysctl

import (
	"errors"
	"strings"
)

// Pattern is an exact name, or a prefix with a trailing "*" as in the kubelet's --allowed-unsafe-sysctls: "net.*",
// "kernel.shm*". "*" alone matches every name. A "*" may also stand for the interface, as in
// "net.ipv4.conf.*.send_redirects". The zero Pattern matches no name. Patterns can be compared with ==.
type Pattern struct {
	text   string // without the trailing "*"
	prefix bool
}

// ParsePattern reads a pattern in dot or slash form. The error is a sentence for the person who wrote the pattern.
func ParsePattern(s string) (Pattern, error) {
	text, prefix := strings.CutSuffix(s, "*")
	if strings.Contains(text, "*") {
		return parseInterfacePattern(Dotted(text), prefix)
	}
	if !prefix {
		name, err := ParseName(text)
		return Pattern{text: name}, err
	}
	if text == "" {
		return Pattern{prefix: true}, nil
	}
	// A prefix is valid if some name begins with it. A name has two words or more, so complete the prefix to two words.
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

// anyInterface are the prefixes of patterns for any interface. neigh has the same parameters for IPv4 and IPv6.
var anyInterface = []string{"net.ipv4.conf.*.", "net.ipv4.neigh.*.", "net.ipv6.conf.*.", "net.ipv6.neigh.*.",
	"net.*.neigh.*.", "net.mpls.conf.*."}

// parseInterfacePattern reads a pattern in dot form that has a "*" before its end.
func parseInterfacePattern(text string, prefix bool) (Pattern, error) {
	for _, before := range anyInterface {
		parameter, found := strings.CutPrefix(text, before)
		if !found || strings.ContainsAny(parameter, "*.") {
			continue
		}
		example := "net.ipv4.conf.all." + parameter
		if prefix {
			example += "x"
		}
		if _, err := ParseName(example); err != nil {
			return Pattern{}, err
		}
		return Pattern{text: text, prefix: prefix}, nil
	}
	return Pattern{}, errors.New(`a "*" is allowed at the end of a pattern, as in net.ipv4.*, and for the interface, ` +
		"as in net.ipv4.conf.*.send_redirects, net.ipv6.conf.*.accept_ra or net.*.neigh.*.retrans_time_ms")
}

// Matches reports whether a name in dot form matches the pattern. A "*" before the end matches one word.
func (p Pattern) Matches(name string) bool {
	text := p.text
	for {
		before, after, found := strings.Cut(text, "*")
		if !found {
			break
		}
		rest, found := strings.CutPrefix(name, before)
		end := strings.IndexByte(rest, '.')
		if !found || end <= 0 {
			return false
		}
		text, name = after, rest[end:]
	}
	if p.prefix {
		return strings.HasPrefix(name, text)
	}
	return text != "" && name == text
}

// IsExact reports whether the pattern is a plain name.
func (p Pattern) IsExact() bool { return !p.prefix && p.text != "" && !p.IsForAnyInterface() }

// IsForAnyInterface reports whether a "*" stands for the interface.
func (p Pattern) IsForAnyInterface() bool { return strings.Contains(p.text, "*") }

// Prefix returns the text before the trailing "*". ok is false if the pattern has none.
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

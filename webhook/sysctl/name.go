package sysctl

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseName returns the dot form of a name in dot form (net.core.somaxconn) or slash form (net/core/somaxconn).
//
// As in sysctl.d(5), the first separator tells the form, and the other separator is a plain character of a word. Only
// the name of a network interface has one: net/ipv4/conf/eth0.100/forwarding is net.ipv4.conf.eth0/100.forwarding.
// There is no other directory below net.ipv4.conf and its like, so net.ipv4.conf.eth0.100.forwarding can only mean
// the same, and reads as the same.
//
// Only names that match ^[a-z0-9_]+(\.[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)+$, with "/" in an interface's word alone, and
// have at most MaxNameLength bytes pass. That is narrower than sysctl(8) on purpose: sysctl follows ".." in a name
// out of /proc/sys, and would then write any file there is. Errors are sentences for the person who wrote the name;
// they do not repeat the name.
func ParseName(name string) (string, error) {
	if name == "" {
		return "", errors.New(`the name is missing: write "name = value"`)
	}
	if len(name) > MaxNameLength {
		return "", fmt.Errorf("a sysctl name has at most %d characters, this one has %d", MaxNameLength, len(name))
	}
	switch {
	case strings.Contains(name, ".."):
		return "", errors.New(`a sysctl name is words joined by single dots, such as net.core.somaxconn: ".." is not allowed`)
	case strings.HasPrefix(name, "/"):
		return "", errors.New(`a sysctl name starts below /proc/sys: leave the leading "/" or "/proc/sys/" off, as in net/core/somaxconn`)
	}
	name = Dotted(name)
	before, device, after := cutInterface(name)
	if strings.Contains(device, ".") {
		device = strings.ReplaceAll(device, ".", "/")
		name = before + device + after
	}
	if err := checkName(name, len(before), len(before)+len(device)); err != nil {
		return "", err
	}
	return name, nil
}

// Dotted returns the dot form of any name that Kubernetes takes, as its own NormalizeName does
// (k8s.io/component-helpers/node/util/sysctl): if the first separator is a slash, dots and slashes change places.
func Dotted(name string) string {
	if at := strings.IndexAny(name, "./"); at < 0 || name[at] == '.' {
		return name
	}
	return swapSeparators(name)
}

// Path returns the slash form of a name in dot form: its path below /proc/sys.
func Path(name string) string { return swapSeparators(name) }

func swapSeparators(name string) string {
	swapped := []byte(name)
	for i, c := range swapped {
		switch c {
		case '.':
			swapped[i] = '/'
		case '/':
			swapped[i] = '.'
		}
	}
	return string(swapped)
}

// checkName reports what keeps a name in dot form from matching the grammar. The interface's word is name[start:end].
// The check is on the path of every admission of an annotated pod, hence a loop; a test compares it with the regular
// expression.
func checkName(name string, start, end int) error {
	word, words := 0, 1 // bytes since the last separator, words so far
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.' || c == '/' && start <= i && i < end:
			if word == 0 {
				return errEmptyWord
			}
			word = 0
			if c == '.' {
				words++
			}
			continue
		case isLower(c) || isDigit(c) || c == '_':
		case isUpper(c) && words > 1:
		case c == '-' && words > 1:
		case c == '/':
			return errMixed
		case isUpper(c) || c == '-':
			return fmt.Errorf("the first word of a sysctl name is of lower-case letters, digits and _: the character "+
				"%s is not allowed there", quoteAt(name, i))
		default:
			return fmt.Errorf("a sysctl name is words of letters, digits, _ and - joined by dots, such as "+
				"net.core.somaxconn: the character %s is not allowed",
				quoteAt(name, i))
		}
		word++
	}
	if word == 0 {
		return errEmptyWord
	}
	if words == 1 {
		return errors.New("a sysctl name has two words or more joined by dots, such as net.core.somaxconn")
	}
	return nil
}

var (
	errEmptyWord = errors.New("a sysctl name is words joined by single separators, such as net.core.somaxconn: one " +
		"word is empty")
	errMixed = errors.New("a sysctl name is written with dots or with slashes: write net.core.somaxconn or " +
		"net/core/somaxconn. Both together are only for " +
		"a network interface that has a dot in its name, as in net/ipv4/conf/eth0.100/forwarding")
)

// quoteAt quotes the character that starts at s[i], in ASCII so that a look-alike is visible, and a broken character
// by its byte.
func quoteAt(s string, i int) string {
	r, size := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && size <= 1 {
		return fmt.Sprintf(`'\x%02x'`, s[i])
	}
	return fmt.Sprintf("%+q", r)
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

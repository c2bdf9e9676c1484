package sysctl

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseName returns the dot form of a name in dot form (net.core.somaxconn) or slash form (net/core/somaxconn).
//
// As in sysctl.d(5), the first separator decides the form, and the other separator is an ordinary character of a word.
// Only the name of a network interface contains one: net/ipv4/conf/eth0.100/forwarding is
// net.ipv4.conf.eth0/100.forwarding. net.ipv4.conf and similar directories have no other subdirectories, so
// net.ipv4.conf.eth0.100.forwarding is unambiguous and parses as the same name.
//
// A name must match ^[a-z0-9_]+(\.[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)+$, have "/" only in the word of an interface, and
// have at most MaxNameLength bytes. This is narrower than sysctl(8) on purpose: sysctl follows ".." in a name out of
// /proc/sys and could write any file. The error is a sentence for the person who wrote the name, and does not repeat
// the name.
func ParseName(name string) (string, error) {
	if name == "" {
		return "", errors.New(`the name is missing: write "name = value"`)
	}
	if len(name) > MaxNameLength {
		return "", fmt.Errorf("a sysctl name has at most %d characters, this one has %d", MaxNameLength, len(name))
	}
	switch {
	case strings.Contains(name, ".."):
		return "", errors.New("a sysctl name is words joined by single dots, such as net.core.somaxconn: " +
			`".." is not allowed`)
	case strings.HasPrefix(name, "/"):
		return "", errors.New(`a sysctl name starts below /proc/sys: leave the leading "/" or "/proc/sys/" off, ` +
			"as in net/core/somaxconn")
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

// Dotted returns the dot form of any name that Kubernetes accepts, as its NormalizeName does
// (k8s.io/component-helpers/node/util/sysctl): if the first separator is a slash, it swaps dots and slashes.
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

// checkName reports why a name in dot form does not match the grammar. The word of the interface is name[start:end].
// Every admission of an annotated pod runs this check, so it is a loop; a test compares it with the regular expression.
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
			return fmt.Errorf("the first word of a sysctl name has only lower-case letters, digits and _: "+
				"the character %s is not allowed there", quoteAt(name, i))
		default:
			return fmt.Errorf("a sysctl name is words of letters, digits, _ and - joined by dots, such as "+
				"net.core.somaxconn: the character %s is not allowed", quoteAt(name, i))
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
	errMixed = errors.New("a sysctl name has either dots or slashes: write net.core.somaxconn or net/core/somaxconn. " +
		"Only a network interface with a dot in its name needs both, as in net/ipv4/conf/eth0.100/forwarding")
)

// quoteAt quotes the character that starts at s[i]. It writes ASCII, so that a look-alike is visible, and shows an
// invalid character as its byte.
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

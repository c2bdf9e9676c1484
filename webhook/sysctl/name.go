package sysctl

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParseName returns the dot form of a name in dot form (net.core.somaxconn) or slash form (net/core/somaxconn).
//
// Only names that match ^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$ and have at most MaxNameLength bytes pass. That is narrower than sysctl(8) on
// purpose: sysctl follows ".." in a name out of /proc/sys, and would then write any file there is. The slash form passes where turning
// slashes into dots loses nothing. Errors are sentences for the person who wrote the name; they do not repeat the name.
func ParseName(name string) (string, error) {
	if name == "" {
		return "", errors.New(`the name is missing: write "name = value"`)
	}
	if len(name) > MaxNameLength {
		return "", fmt.Errorf("a sysctl name has at most %d characters, this one has %d", MaxNameLength, len(name))
	}
	dots, slashes := strings.Contains(name, "."), strings.Contains(name, "/")
	switch {
	case strings.Contains(name, ".."):
		return "", errors.New(`a sysctl name is words joined by single dots, such as net.core.somaxconn: ".." is not allowed`)
	case strings.HasPrefix(name, "/"):
		return "", errors.New(`a sysctl name starts below /proc/sys: leave the leading "/" or "/proc/sys/" off, as in net/core/somaxconn`)
	case dots && slashes:
		return "", errors.New("a sysctl name is written with dots or with slashes, not with both (so an interface with a dot in its name " +
			"cannot be named): write net.core.somaxconn or net/core/somaxconn")
	case slashes:
		name = strings.ReplaceAll(name, "/", ".")
	}
	if err := checkName(name); err != nil {
		return "", err
	}
	return name, nil
}

// checkName reports what keeps a name from matching ^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$. It is on the path of every admission of an
// annotated pod, hence a loop; a test holds it to the regular expression.
func checkName(name string) error {
	word, words := 0, 1 // bytes in the current word, words so far
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if word == 0 {
				return errEmptyWord
			}
			word = 0
			words++
			continue
		case isLower(c) || isDigit(c) || c == '_':
		case isUpper(c) && words > 1:
		case c == '-' && words > 1:
		case isUpper(c) || c == '-':
			return fmt.Errorf("the first word of a sysctl name is of lower-case letters, digits and _: the character %s is not allowed there", quoteAt(name, i))
		default:
			return fmt.Errorf("a sysctl name is words of letters, digits, _ and - joined by dots, such as net.core.somaxconn: the character %s is not allowed",
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

var errEmptyWord = errors.New("a sysctl name is words joined by single separators, such as net.core.somaxconn: one word is empty")

// quoteAt quotes the character that starts at s[i], in ASCII so that a look-alike is told apart, and a broken one by its byte.
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

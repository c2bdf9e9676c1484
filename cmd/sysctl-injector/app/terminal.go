package app

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// terminal writes text for a person. Names and values in the text come from files and clusters whose authors are not
// trusted, so it writes unprintable characters as Go escapes. Otherwise a value could move the cursor, and overwrite
// the text that the person is asked to confirm.
type terminal struct {
	to      io.Writer
	colored bool // https://no-color.org
}

// forPeople wraps out if it is a terminal. Files and pipes get all bytes unchanged.
func forPeople(out io.Writer) io.Writer {
	file, isFile := out.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) {
		return out
	}
	return &terminal{to: out, colored: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (t *terminal) Write(text []byte) (int, error) {
	if _, err := io.WriteString(t.to, printable(string(text), "\n\t")); err != nil {
		return 0, err
	}
	return len(text), nil
}

// paint returns text with the escape sequences of a color.
func (t *terminal) paint(color, text string) error {
	_, err := io.WriteString(t.to, color+printable(text, "\n\t")+reset)
	return err
}

// defaultWidth is the width of a table without a terminal.
const defaultWidth = 120

// widthOf returns the number of characters in a line of out.
func widthOf(out io.Writer) int {
	if t, ok := out.(*terminal); ok {
		if file, ok := t.to.(*os.File); ok {
			if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
				return width
			}
		}
	}
	return defaultWidth
}

func isTerminal(out io.Writer) bool {
	_, is := out.(*terminal)
	return is
}

// progressOn returns a function that shows progress in one line. Each call overwrites the line, and an empty text
// clears it. It writes nothing to files and pipes.
func progressOn(errOut io.Writer) func(text string) {
	t, ok := errOut.(*terminal)
	if !ok {
		return func(string) {}
	}
	return func(text string) { _, _ = io.WriteString(t.to, "\r\x1b[K"+oneLine(text)) }
}

// oneLine escapes untrusted text for a message of one line.
func oneLine(text string) string { return printable(text, "") }

// printable escapes each character that is neither printable nor allowed, and each byte that is not UTF-8. If line
// ends are allowed, Windows line ends stay.
func printable(text, allowed string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[i]), 16))
		case unicode.IsPrint(r), strings.ContainsRune(allowed, r):
			b.WriteRune(r)
		case strings.HasPrefix(text[i:], "\r\n") && strings.Contains(allowed, "\n"):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return b.String()
}

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

// terminal writes text for a person. The text may hold names and values from files and from a cluster, whose authors
// are not trusted with the terminal: what is not printable is written as a Go escape. Otherwise a value could move
// the cursor, and write over what the person is about to agree to.
type terminal struct {
	to      io.Writer
	colored bool // https://no-color.org
}

// forPeople returns a terminal where out is one. Files and pipes get every byte as it is.
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

// paint writes text in a color, which is an escape sequence.
func (t *terminal) paint(color, text string) error {
	_, err := io.WriteString(t.to, color+printable(text, "\n\t")+reset)
	return err
}

// defaultWidth is how wide a table is where there is no terminal.
const defaultWidth = 120

// widthOf returns how many characters fit a line of out.
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

// progressOn returns what shows how far a command is, in one line that each call overwrites; an empty text clears it.
// Files and pipes get nothing.
func progressOn(errOut io.Writer) func(text string) {
	t, ok := errOut.(*terminal)
	if !ok {
		return func(string) {}
	}
	return func(text string) { _, _ = io.WriteString(t.to, "\r\x1b[K"+oneLine(text)) }
}

// oneLine returns text from elsewhere for a message that has to stay within its line.
func oneLine(text string) string { return printable(text, "") }

// printable escapes each character that is neither printable nor among those allowed, and each byte that is no
// character. The line ends of Windows stay where line ends are allowed.
func printable(text, allowed string) string {
	var b strings.Builder
	for i, size := 0, 0; i < len(text); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(text[i:])
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
	}
	return b.String()
}

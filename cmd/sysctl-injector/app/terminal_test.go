package app

import "testing"

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ name, text, lines, line string }{
		{"leaves text alone", "größer 漢 \"a\"", "größer 漢 \"a\"", "größer 漢 \"a\""},
		{"keeps lines where there may be some", "a\tb\r\nc\n", "a\tb\r\nc\n", `a\tb\r\nc\n`},
		{"escapes a return that would write over the line", "good\rbad", `good\rbad`, `good\rbad`},
		{"escapes the start of a sequence", "\x1b[2J\u009b2J", `\x1b[2J\u009b2J`, `\x1b[2J\u009b2J`},
		{"escapes what turns text around or hides it", "\u202ea\u200bb\u2066", `\u202ea\u200bb\u2066`,
			`\u202ea\u200bb\u2066`},
		{"escapes what ends a line for some", "a\u2028b\u0085c", `a\u2028b\u0085c`, `a\u2028b\u0085c`},
		{"escapes bytes that are no character", "a\xffb\xc2", `a\xffb\xc2`, `a\xffb\xc2`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := printable(test.text, "\n\t"); got != test.lines {
				t.Errorf("got %q, want %q", got, test.lines)
			}
			if got := oneLine(test.text); got != test.line {
				t.Errorf("on one line: got %q, want %q", got, test.line)
			}
		})
	}
}

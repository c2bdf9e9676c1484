package manifest

import "strings"

// chunk is the text of one document of a stream: the lines before its marker, the marker, the content, and the end
// marker. The prefixes and texts of a stream's chunks, joined, are the stream.
type chunk struct {
	prefix string // what comes before a byte order mark, and the mark; the parser does not see it
	text   string
	lines  int // number of lines before text in the stream
	body   int // offset in text where the content starts: after "---", if present
	tail   int // offset in text where the content ends: before "...", if present
	empty  bool
}

// byteOrderMark may be the first character of a document, because files are concatenated. It is kept in the output.
const byteOrderMark = "\uFEFF"

// StartsWithDirective reports whether a manifest starts with a directive, such as %YAML. A document before it must end
// with "...".
func StartsWithDirective(in []byte) bool {
	for line := range strings.Lines(string(in)) {
		line = strings.TrimPrefix(line, byteOrderMark)
		if strings.HasPrefix(line, "%") {
			return true
		}
		if !isBlank(line) && !isComment(line) {
			return false
		}
	}
	return false
}

// split splits a stream into its documents. As in YAML, a marker at the start of a line always ends a document.
func split(text string) []chunk {
	var all []chunk
	starts := lineStarts(text)
	start, body, tail := 0, -1, -1 // of the current chunk: offsets in text
	from, lines := 0, 0            // of its text, after the prefix: the offset in text, and the lines before it
	empty := true
	flush := func(next int) {
		to := starts[next]
		if tail < 0 {
			tail = to
		}
		all = append(all, chunk{prefix: text[start:from], text: text[from:to], lines: lines, body: max(body-from, 0),
			tail: tail - from, empty: empty})
		start, body, tail, from, lines, empty = to, -1, -1, to, next, true
	}
	starts = append(starts, len(text)) // the end of the last line
	for i := range len(starts) - 1 {
		line := text[starts[i]:starts[i+1]]
		marked := false
		if empty {
			line, marked = strings.CutPrefix(line, byteOrderMark)
		}
		if isMarker(line, "---") && (body >= 0 || !empty) {
			flush(i)
		}
		if marked {
			from, lines = starts[i+1]-len(line), i
		}
		switch {
		case isMarker(line, "---"):
			body = starts[i+1]
			if !isBlank(line[3:]) && !isComment(line[3:]) {
				body, empty = body-len(line)+3, false
			}
		case isMarker(line, "..."):
			tail = max(starts[i], from)
			flush(i + 1)
		case !isBlank(line) && !isComment(line) && (body >= 0 || line[0] != '%'):
			empty = false
		}
	}
	if start < len(text) {
		flush(len(starts) - 1)
	}
	return all
}

// readable returns the text with everything before the content replaced by blanks, except for markers and %TAG
// directives. Offsets stay the same. Comments there do not belong to a node, and the parser would reject a directive
// for YAML 1.2, although manifests mean the same in both versions.
func (c chunk) readable() string {
	var b strings.Builder
	for _, line := range eachLine(c.text[:c.body]) {
		keep := ""
		if isMarker(line, "---") {
			keep = "---"
		} else if strings.HasPrefix(line, "%TAG") {
			keep = strings.TrimRight(line, breaks)
		}
		end := len(strings.TrimRight(line, breaks))
		b.WriteString(keep + strings.Repeat(" ", end-len(keep)) + line[end:])
	}
	return b.String() + c.text[c.body:]
}

// breaks are the characters that end a line for the YAML parser.
const breaks = "\r\n\u0085\u2028\u2029"

// lineStarts returns the offset of each line, including the empty one after a final line break.
func lineStarts(text string) []int {
	starts := []int{0}
	for i := 0; i < len(text); {
		n := breakAt(text[i:])
		if n > 0 {
			starts = append(starts, i+n)
		}
		i += max(n, 1)
	}
	return starts
}

// breakAt returns the length of the line break at the start of text, or 0 if there is none.
func breakAt(text string) int {
	switch text[0] {
	case '\n':
		return 1
	case '\r':
		if strings.HasPrefix(text, "\r\n") {
			return 2
		}
		return 1
	case 0xC2, 0xE2:
		for _, s := range []string{"\u0085", "\u2028", "\u2029"} {
			if strings.HasPrefix(text, s) {
				return len(s)
			}
		}
	}
	return 0
}

func eachLine(text string) []string {
	starts := lineStarts(text)
	all := make([]string, len(starts))
	for i, from := range starts {
		to := len(text)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		all[i] = text[from:to]
	}
	return all
}

func isMarker(line, marker string) bool {
	rest, ok := strings.CutPrefix(line, marker)
	return ok && (rest == "" || strings.Trim(rest[:1], " \t\r\n") == "" || breakAt(rest) > 0)
}

func isBlank(line string) bool   { return strings.Trim(line, " \t"+breaks) == "" }
func isComment(line string) bool { return strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") }

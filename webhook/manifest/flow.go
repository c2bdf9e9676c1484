package manifest

import (
	"bytes"
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"
)

// flowLayout is the layout of a flow-style or JSON collection.
type flowLayout struct {
	lines  bool   // one entry per line
	indent string // indentation of these lines
	unit   string // additional indentation of each level
	tight  bool   // JSON without blanks
}

// flowLayout returns the default layout for the outermost collection of the document.
func (s *splicer) flowLayout() flowLayout {
	l := flowLayout{unit: "  ", tight: s.isJSON && !strings.Contains(s.text, `": `)}
	for line := 2; line <= len(s.starts); line++ {
		if text := indentation(s.line(line)); text != "" {
			l.unit = text
			break
		}
	}
	return l
}

// flow writes the new nodes below a flow-style collection. l is the layout of its parent.
func (s *splicer) flow(n *yaml.Node, l flowLayout) {
	l = s.layoutIn(n, l)
	step := entrySize(n)
	for i := 0; i+step <= len(n.Content) && !s.failed; {
		if s.isOld(n, i) {
			s.replaceInFlow(n.Content[i+step-1], l)
			i += step
			continue
		}
		next := s.oldAfter(n, i)
		s.insertFlow(n, i, next, l)
		i = next
	}
}

// layoutIn returns the layout of a collection, found from its entries. An empty collection has the layout of its
// parent.
func (s *splicer) layoutIn(n *yaml.Node, l flowLayout) flowLayout {
	i := s.oldAfter(n, 0)
	if i >= len(n.Content) {
		l.indent += l.unit
		return l
	}
	first := s.original(n.Content[i])
	l.lines = first.Line > n.Line
	l.indent = indentation(s.line(first.Line))
	return l
}

func (s *splicer) replaceInFlow(value *yaml.Node, l flowLayout) {
	if value.Line > 0 {
		if isFlow(value) {
			s.flow(value, l)
		}
		return
	}
	old := s.tree.replaced[value]
	text := s.flowValue(value, l)
	if old.Value == "" && old.Kind == yaml.ScalarNode && old.Style == 0 {
		text = " " + text
	}
	s.edits = append(s.edits, textEdit{s.offset(old), s.endOf(old), text})
}

// insertFlow writes the new entries from index i up to next.
func (s *splicer) insertFlow(n *yaml.Node, i, next int, l flowLayout) {
	comma, open, shut := ", ", "", ""
	if l.tight {
		comma = ","
	}
	if l.lines {
		comma = ",\n" + l.indent
		open, shut = "\n"+l.indent, "\n"+strings.TrimSuffix(l.indent, l.unit)
	}
	step := entrySize(n)
	var entries []string
	for ; i < next; i += step {
		entries = append(entries, s.flowEntry(n.Content[i:i+step], l))
	}
	text := strings.Join(entries, comma)
	var c textEdit
	switch last := s.lastOld(n, next); {
	case next < len(n.Content):
		at := s.offset(s.original(n.Content[next]))
		c = textEdit{at, at, text + comma}
	case last != nil:
		at := s.endOf(last)
		c = textEdit{at, at, comma + text}
	default:
		c = textEdit{s.offset(n) + 1, s.endOf(n) - 1, open + text + shut}
	}
	c.text = s.lineEnds(c.text)
	s.edits = append(s.edits, c)
}

func (s *splicer) flowEntry(entry []*yaml.Node, l flowLayout) string {
	text := s.flowValue(entry[len(entry)-1], l)
	if len(entry) == 1 {
		return text
	}
	switch {
	case l.tight:
		return jsonText(entry[0]) + ":" + text
	case s.isJSON:
		return jsonText(entry[0]) + ": " + text
	default:
		return scalarText(entry[0], true) + ": " + text
	}
}

func (s *splicer) flowValue(n *yaml.Node, l flowLayout) string {
	if !s.isJSON {
		return flowText(n)
	}
	text := jsonText(n)
	if !l.lines {
		return text
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), l.indent, l.unit); err != nil {
		s.failed = true
	}
	return b.String()
}

// endOf returns the offset where an old scalar or an old flow-style collection ends.
func (s *splicer) endOf(n *yaml.Node) int {
	at := s.offset(n)
	rest := s.text[at:]
	switch {
	case n.Kind == yaml.AliasNode:
		return at + len("*"+n.Value)
	case isFlow(n):
		return s.closing(n)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return at + quotedLength(rest, '"', '\\')
	case n.Style&yaml.SingleQuotedStyle != 0:
		return at + quotedLength(rest, '\'', '\'')
	case n.Kind == yaml.ScalarNode && n.Style == 0 && strings.HasPrefix(rest, n.Value):
		return at + len(n.Value)
	}
	s.failed = true // a tag, an anchor, or more than one line
	return at
}

// quotedLength returns the length of a quoted scalar, where escape makes the next character literal.
func quotedLength(text string, quote, escape byte) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == escape && i+1 < len(text) && (escape != quote || text[i+1] == quote):
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

// closing returns the offset after the closing bracket of an old flow-style collection.
func (s *splicer) closing(n *yaml.Node) int {
	at := s.offset(n)
	if at >= len(s.text) || !strings.ContainsRune("{[", rune(s.text[at])) {
		s.failed = true
		return at
	}
	at++
	if last := s.lastOld(n, len(n.Content)); last != nil {
		at = s.endOf(last)
	}
	for ; at < len(s.text); at++ {
		switch {
		case s.text[at] == '}' || s.text[at] == ']':
			return at + 1
		case s.text[at] == '#':
			line := s.lineAt(at)
			at = s.starts[line-1] + len(strings.TrimRight(s.line(line), breaks)) - 1
		case !strings.ContainsRune(", \t\r\n", rune(s.text[at])):
			s.failed = true
			return at
		}
	}
	s.failed = true
	return at
}

package manifest

import (
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// entrySize returns the number of nodes per entry: 2 for a mapping, whose keys and values alternate, 1 for a sequence.
func entrySize(n *yaml.Node) int {
	if n.Kind == yaml.MappingNode {
		return 2
	}
	return 1
}

// isOld reports whether the original document has the entry at index i.
func (s *splicer) isOld(n *yaml.Node, i int) bool {
	return n.Content[i].Line > 0 || s.tree.replaced[n.Content[i]] != nil
}

// oldBefore returns the index of the closest old entry before index i, or -1 if there is none.
func (s *splicer) oldBefore(n *yaml.Node, i int) int {
	for i -= entrySize(n); i >= 0 && !s.isOld(n, i); i -= entrySize(n) {
	}
	return i
}

// oldAfter returns the index of the first old entry at or after index i, or len(n.Content) if there is none.
func (s *splicer) oldAfter(n *yaml.Node, i int) int {
	for ; i < len(n.Content) && !s.isOld(n, i); i += entrySize(n) {
	}
	return i
}

// original returns the old node that n replaces, or n itself.
func (s *splicer) original(n *yaml.Node) *yaml.Node {
	if old := s.tree.replaced[n]; old != nil {
		return old
	}
	return n
}

// lastOld returns the value of the closest old entry before index i, or nil if there is none.
func (s *splicer) lastOld(n *yaml.Node, i int) *yaml.Node {
	j := s.oldBefore(n, i)
	if j < 0 {
		return nil
	}
	return s.original(n.Content[j+entrySize(n)-1])
}

// nextLine returns the line of the first old entry at or after index i, or end if there is none.
func (s *splicer) nextLine(n *yaml.Node, i, end int) int {
	if i = s.oldAfter(n, i); i < len(n.Content) {
		return s.entryLine(n, i)
	}
	return end
}

// entryLine returns the line of a key, or of the dash of an item. The dash may be alone on its line.
func (s *splicer) entryLine(n *yaml.Node, i int) int {
	line := s.original(n.Content[i]).Line
	if n.Kind == yaml.SequenceNode {
		for line > n.Line && !strings.HasPrefix(strings.TrimLeft(s.line(line), " "), "-") {
			line--
		}
	}
	return line
}

// indentOf returns the indentation of the keys or dashes of a block-style collection, found from the entry at index i.
// It returns -1 if the text there is something else, such as an anchor.
func (s *splicer) indentOf(n *yaml.Node, i int) int {
	if n.Kind == yaml.MappingNode {
		return n.Content[i].Column - 1
	}
	if at := s.offset(n); at >= len(s.text) || s.text[at] != '-' {
		return -1
	}
	return n.Column - 1
}

// lastLine returns the last line of a node in block context, without the comments and blank lines after it. end is the
// line of the next node.
func (s *splicer) lastLine(n *yaml.Node, end int) int {
	leaf := s.original(n)
	for last := leaf; last != nil; last = s.lastOld(last, len(last.Content)) {
		leaf = last
	}
	if leaf.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return s.lastBlockScalarLine(leaf, end)
	}
	line := end - 1
	for line > leaf.Line && (isBlank(s.line(line)) || isComment(s.line(line)) || s.isLoneDash(line)) {
		line--
	}
	return line
}

// lastBlockScalarLine is lastLine for a literal or folded scalar. There, a line that starts with # is text if it has
// the indentation of the text.
func (s *splicer) lastBlockScalarLine(n *yaml.Node, end int) int {
	first := n.Line + 1
	for first < end && isBlank(s.line(first)) {
		first++
	}
	if n.Value == "" || first >= end {
		return n.Line
	}
	indent := len(indentation(s.line(first)))
	for i := first; i < end; i++ { // with an indentation indicator, the first line may have a deeper indentation
		if !isBlank(s.line(i)) && !isComment(s.line(i)) && !s.isLoneDash(i) {
			indent = min(indent, len(indentation(s.line(i))))
		}
	}
	line := end - 1
	for line > first && (isBlank(s.line(line)) || s.isLoneDash(line) || isComment(s.line(line)) &&
		len(indentation(s.line(line))) < indent) {
		line--
	}
	header, _, _ := strings.Cut(s.line(n.Line)[s.offset(n)-s.starts[n.Line-1]:], "#")
	for strings.Contains(header, "+") && line+1 < end && isBlank(s.line(line+1)) && s.line(line+1) != "" {
		line++ // with "+", the blank lines are part of the text
	}
	return line
}

func (s *splicer) isLoneDash(line int) bool { return strings.Trim(s.line(line), " "+breaks) == "-" }

// line returns a line of the document with its line break, counted from 1.
func (s *splicer) line(line int) string {
	from, to := s.starts[line-1], len(s.text)
	if line < len(s.starts) {
		to = s.starts[line]
	}
	return s.text[from:to]
}

// before returns the first n bytes of a line, or the whole line if it is shorter.
func (s *splicer) before(line, n int) string {
	text := s.line(line)
	return text[:max(0, min(n, len(text)))]
}

// lineAt returns the line of an offset. At the end of a text without a final line end, it returns the line after the
// last.
func (s *splicer) lineAt(offset int) int {
	if offset == len(s.text) && s.starts[len(s.starts)-1] < offset {
		return len(s.starts) + 1
	}
	return sort.SearchInts(s.starts, offset+1)
}

// columnStep is the distance in columns between the cached offsets of a line. A JSON text may be one long line.
const columnStep = 256

// offset returns the offset where a node of the old document starts. The parser counts columns in characters.
func (s *splicer) offset(n *yaml.Node) int {
	known, ok := s.columns[n.Line]
	if !ok {
		column, from := 0, s.starts[n.Line-1]
		for at := range s.line(n.Line) {
			if column%columnStep == 0 {
				known = append(known, from+at)
			}
			column++
		}
		known = append(known, from+len(s.line(n.Line)))
		s.columns[n.Line] = known
	}
	column := n.Column - 1
	at := known[min(column/columnStep, len(known)-1)]
	for i := column % columnStep; i > 0 && at < len(s.text); i-- {
		_, size := utf8.DecodeRuneInString(s.text[at:])
		at += size
	}
	return at
}

func indentation(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

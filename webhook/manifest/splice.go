package manifest

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// splicer writes the new nodes of a tree into the old text.
type splicer struct {
	*document
	tree  *tree
	edits []textEdit
	// columns maps a line to the offsets of every columnStep-th column.
	columns map[int][]int
	// failed is set if the text around an insertion is not as expected. The document is then encoded again.
	failed bool
}

// textEdit replaces text[from:to].
type textEdit struct {
	from, to int
	text     string
}

// splice returns the document's text with the new nodes of t. ok is false if the text cannot be edited.
func (d *document) splice(t *tree) (text string, ok bool) {
	if t.expanded {
		return "", false
	}
	s := &splicer{document: d, tree: t, columns: map[int][]int{}}
	root := t.root.Content[0]
	if isFlow(root) {
		s.flow(root, s.flowLayout())
	} else {
		s.block(root, t.layout, 0, s.lineAt(d.tail))
	}
	if s.failed {
		return "", false
	}
	return s.result()
}

// result returns the text with all edits applied. ok is false if two of them overlap.
func (s *splicer) result() (text string, ok bool) {
	slices.SortStableFunc(s.edits, func(a, b textEdit) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	done := 0
	for _, c := range s.edits {
		if c.from < done {
			return "", false
		}
		b.WriteString(s.text[done:c.from] + c.text)
		done = c.to
	}
	return b.String() + s.text[done:], true
}

// block writes the new nodes below a block-style collection. above is the last line before the collection, and end is
// the first line after it.
func (s *splicer) block(n *yaml.Node, l layout, above, end int) {
	step := entrySize(n)
	if n.Kind == yaml.MappingNode {
		l = l.of(n)
	}
	for i := 0; i+step <= len(n.Content); i += step {
		entry := n.Content[i : i+step]
		next := s.nextLine(n, i+step, end)
		if !s.isOld(n, i) {
			s.insertBlock(n, i, l, above, end)
			continue
		}
		switch value := entry[step-1]; {
		case value.Line == 0:
			s.replaceInBlock(entry, l, next)
		case isFlow(value):
			s.flow(value, flowLayout{unit: strings.Repeat(" ", l.mapping)})
		default:
			s.block(value, l, entry[0].Line, next)
		}
	}
}

// of returns the layout with the sequence indentation that the mapping already uses.
func (l layout) of(mapping *yaml.Node) layout {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if value.Kind == yaml.SequenceNode && value.Line > 0 && !isFlow(value) {
			l.sequence = max(value.Column-key.Column, 0)
			break
		}
	}
	return l
}

// insertBlock writes the new entry at index i: before the next old entry, or after the previous one if there is none.
func (s *splicer) insertBlock(n *yaml.Node, i int, l layout, above, end int) {
	floor, indent := above, -1
	if j := s.oldBefore(n, i); j >= 0 {
		floor = s.lastLine(n.Content[j+entrySize(n)-1], s.nextLine(n, i, end))
		indent = s.indentOf(n, j)
	}
	line := floor + 1
	for line < end && isComment(s.line(line)) && len(indentation(s.line(line))) > indent {
		line++ // a comment with deeper indentation belongs to the previous entry
	}
	if j := s.oldAfter(n, i); j < len(n.Content) {
		indent = s.indentOf(n, j)
		line = s.entryLine(n, j)
		if !isBlank(s.before(line, indent)) {
			s.failed = true
			return
		}
		for line-1 > floor && isComment(s.line(line-1)) {
			line-- // comments directly above an entry belong to it
		}
	}
	if indent < 0 {
		s.failed = true
		return
	}
	if n.Kind == yaml.MappingNode {
		s.insertLines(line, l.pair(n.Content[i], n.Content[i+1], indent))
	} else {
		s.insertLines(line, l.item(n.Content[i], indent))
	}
}

// replaceInBlock replaces the value of an entry.
func (s *splicer) replaceInBlock(entry []*yaml.Node, l layout, next int) {
	value := entry[len(entry)-1]
	old := s.tree.replaced[value]
	if s.replaceLiteral(value, old, next) {
		return
	}
	from, to := s.offset(old), s.endOf(old)
	if s.failed {
		return
	}
	if value.Kind == yaml.ScalarNode || isFlow(value) {
		text := inline(value)
		if from == to {
			text = " " + text
		}
		s.edits = append(s.edits, textEdit{from, to, text})
		return
	}
	if len(entry) < 2 || old.Line != entry[0].Line {
		s.failed = true
		return
	}
	from = len(strings.TrimRight(s.text[:from], " "))
	s.edits = append(s.edits, textEdit{from, max(from, to), ""})
	s.insertLines(old.Line+1, l.value(value, entry[0].Column-1)[1:])
}

// replaceLiteral replaces the lines of a literal block, and keeps its header. It returns false if the old or the new
// value is not a literal block.
func (s *splicer) replaceLiteral(value, old *yaml.Node, next int) bool {
	if old.Style&yaml.LiteralStyle == 0 || !isLiteral(value) || old.Value == "" {
		return false
	}
	header := strings.Trim(s.text[s.offset(old):s.starts[old.Line-1]+len(s.line(old.Line))], " "+breaks)
	if header != "|" && !strings.HasPrefix(header, "| #") {
		return false
	}
	first, last := old.Line+1, s.lastBlockScalarLine(old, next)
	lines := s.lineEnds(literalLines(value.Value, indentation(s.line(first))))
	from, to := s.starts[first-1], s.starts[last-1]+len(s.line(last))
	s.edits = append(s.edits, textEdit{from, to, lines})
	return true
}

// insertLines inserts whole lines before a line, with the line ends of the document.
func (s *splicer) insertLines(line int, lines string) {
	lines = s.lineEnds(lines)
	at := len(s.text)
	if line <= len(s.starts) {
		at = s.starts[line-1]
	} else { // the last line has no line end: add one, and leave the new last line without
		trimmed := strings.TrimRight(lines, "\r\n")
		lines = lines[len(trimmed):] + trimmed
	}
	s.edits = append(s.edits, textEdit{at, at, lines})
}

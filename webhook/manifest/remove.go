package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is an entry of a collection. index is that of its value in the content of the parent.
type entry struct {
	parent *yaml.Node
	index  int
}

// find returns the entry at a path, after removing aliases, so that the document uses the nodes of the entry only
// there.
func (t *tree) find(names []string) (entry, error) {
	if len(names) == 0 {
		return entry{}, errors.New("cannot remove the whole document")
	}
	parent, err := t.parent(names[:len(names)-1])
	if err != nil {
		return entry{}, err
	}
	name := names[len(names)-1]
	if t.child(parent, name) == nil {
		return entry{}, fmt.Errorf("%q does not exist", name)
	}
	i := childIndex(parent, name)
	t.unaliasAll(&parent.Content[i])
	return entry{parent, i}, nil
}

func (t *tree) unaliasAll(slot **yaml.Node) {
	t.unalias(slot)
	for i := range (*slot).Content {
		t.unaliasAll(&(*slot).Content[i])
	}
}

// drop removes the entry from its tree, or only the content of its value.
func (e entry) drop(onlyContent bool) {
	if value := e.parent.Content[e.index]; onlyContent {
		value.Content, value.Style = nil, value.Style|yaml.FlowStyle
		return
	}
	from := e.index + 1 - entrySize(e.parent)
	e.parent.Content = slices.Delete(e.parent.Content, from, e.index+1)
	if len(e.parent.Content) == 0 {
		e.parent.Style |= yaml.FlowStyle
	}
}

// cutOut returns the document's text without the entry at a path, or, with onlyContent, with an empty collection as its
// value. t must match the text. ok is false if other text would have to change.
func (d *document) cutOut(t *tree, names []string, onlyContent bool) (text string, ok bool) {
	if t.expanded {
		return "", false
	}
	s := &splicer{document: d, tree: t, columns: map[int][]int{}}
	n, end := t.root.Content[0], s.lineAt(d.tail)
	var key *yaml.Node // the key of n, if n is in a mapping
	for len(names) > 0 {
		i := childIndex(n, names[0])
		last := len(names) == 1
		if last && !onlyContent {
			break
		}
		if !isFlow(n) {
			end = s.nextLine(n, i+1, end)
		}
		key = nil
		if n.Kind == yaml.MappingNode {
			key = n.Content[i-1]
		}
		n, names = n.Content[i], names[1:]
	}
	switch step := entrySize(n); {
	case onlyContent || len(n.Content) == step:
		s.empty(n, key, end)
	case isFlow(n):
		s.cutFromFlow(n, childIndex(n, names[0])+1-step)
	default:
		s.cutFromBlock(n, childIndex(n, names[0])+1-step, end)
	}
	if s.failed {
		return "", false
	}
	return s.result()
}

// empty replaces n by an empty collection. end is the line of the next node.
func (s *splicer) empty(n, key *yaml.Node, end int) {
	brackets := "{}"
	if n.Kind == yaml.SequenceNode {
		brackets = "[]"
	}
	from := s.offset(n)
	if isFlow(n) {
		to := s.closing(n)
		s.failed = s.failed || !isJSONSpace(s.text[from+1:s.offset(n.Content[0])]) ||
			strings.Contains(s.text[s.endOf(n.Content[len(n.Content)-1]):to], "#")
		s.edits = append(s.edits, textEdit{from, to, brackets})
		return
	}
	line := s.lineAt(from)
	last := s.lastLine(n, end)
	if key != nil && key.Line < line {
		colon := s.endOf(key)
		if s.failed || !strings.HasPrefix(s.text[colon:], ":") {
			s.failed = true
			return
		}
		s.edits = append(s.edits, textEdit{colon + 1, colon + 1, " " + brackets})
		s.cutLines(line, last)
		return
	}
	to := s.starts[last-1] + len(strings.TrimRight(s.line(last), breaks))
	s.edits = append(s.edits, textEdit{from, to, brackets})
}

// cutFromFlow removes the entry at index i, and the comma after or before it.
func (s *splicer) cutFromFlow(n *yaml.Node, i int) {
	step := entrySize(n)
	from, to := s.offset(n.Content[i]), s.endOf(n.Content[i+step-1])
	var gap string
	if next := i + step; next < len(n.Content) {
		gap, to = s.text[to:s.offset(n.Content[next])], s.offset(n.Content[next])
	} else {
		before := s.endOf(n.Content[i-1])
		gap, from = s.text[before:from], before
	}
	s.failed = s.failed || !isJSONSpace(strings.Replace(gap, ",", "", 1)) // a comment, or something unexpected
	s.edits = append(s.edits, textEdit{from, to, ""})
}

// cutFromBlock removes the lines of the entry at index i, and the comments below it with deeper indentation. Comments
// above it stay.
func (s *splicer) cutFromBlock(n *yaml.Node, i, end int) {
	step := entrySize(n)
	next := s.nextLine(n, i+step, end)
	line, indent := s.entryLine(n, i), s.indentOf(n, i)
	last := s.lastLine(n.Content[i+step-1], next)
	if indent < 0 {
		s.failed = true
		return
	}
	if isBlank(s.before(line, indent)) {
		for last+1 < next && isComment(s.line(last+1)) && len(indentation(s.line(last+1))) > indent {
			last++
		}
		s.cutLines(line, last)
		return
	}
	// The entry follows a dash on the same line, so move the next entry there.
	if i > 0 || n.Kind != yaml.MappingNode || next >= end {
		s.failed = true
		return
	}
	for between := last + 1; between < next; between++ {
		s.failed = s.failed || !isBlank(s.line(between))
	}
	s.edits = append(s.edits, textEdit{s.offset(n.Content[i]), s.offset(n.Content[i+step]), ""})
}

// cutLines removes whole lines.
func (s *splicer) cutLines(first, last int) {
	to := len(s.text)
	if last < len(s.starts) {
		to = s.starts[last]
	}
	s.edits = append(s.edits, textEdit{s.starts[first-1], to, ""})
}

func isJSONSpace(text string) bool { return strings.Trim(text, " \t\r\n") == "" }

package manifest

import (
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"
)

// layout is the indentation of a file, in columns.
type layout struct {
	mapping  int // of a mapping relative to its key
	sequence int // of the dashes of a sequence relative to its key: 0 in the output of kubectl
}

// layoutOf returns the layout of the first block-style collections of a document.
func layoutOf(root *yaml.Node) layout {
	found := layout{mapping: -1, sequence: -1}
	found.detect(root)
	if found.mapping < 0 {
		found.mapping = 2
	}
	found.sequence = max(found.sequence, 0)
	return found
}

func (l *layout) detect(n *yaml.Node) {
	if isFlow(n) {
		return
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && child.Line > 0 && !isFlow(child) && len(child.Content) > 0 {
			column := n.Content[i-1].Column
			if first := child.Content[0]; child.Kind == yaml.MappingNode && l.mapping < 0 {
				l.mapping = max(first.Column-column, -1)
			} else if child.Kind == yaml.SequenceNode && l.sequence < 0 {
				l.sequence = child.Column - column
			}
		}
		if l.mapping >= 0 && l.sequence >= 0 {
			return
		}
		l.detect(child)
	}
}

// pair writes a key and its value in block style. Each line ends with "\n".
func (l layout) pair(key, value *yaml.Node, indent int) string {
	return strings.Repeat(" ", indent) + scalarText(key, false) + ":" + l.value(value, indent)
}

// value writes the value of a key at indent: everything after the colon.
func (l layout) value(n *yaml.Node, indent int) string {
	if isLiteral(n) {
		return " |\n" + literalLines(n.Value, strings.Repeat(" ", indent+max(l.mapping, 1)))
	}
	if n.Kind == yaml.ScalarNode || isFlow(n) {
		return " " + inline(n) + "\n"
	}
	if n.Kind == yaml.MappingNode {
		return "\n" + l.mappingLines(n, indent+l.mapping)
	}
	var b strings.Builder
	for _, child := range n.Content {
		b.WriteString(l.item(child, indent+l.sequence))
	}
	return "\n" + b.String()
}

// isLiteral reports whether a new string is written as a literal block: it has several lines, and a literal block keeps
// them as they are.
func isLiteral(n *yaml.Node) bool {
	text, ended := strings.CutSuffix(n.Value, "\n")
	return n.Kind == yaml.ScalarNode && n.Tag == "!!str" && ended && strings.Contains(text, "\n") &&
		!strings.HasSuffix(text, "\n") && strings.TrimLeft(text, " \n") == text &&
		!strings.ContainsAny(text, "\t"+strings.ReplaceAll(breaks, "\n", ""))
}

func literalLines(value, indent string) string {
	var b strings.Builder
	for line := range strings.Lines(value) {
		if line != "\n" {
			line = indent + line
		}
		b.WriteString(line)
	}
	return b.String()
}

func (l layout) mappingLines(n *yaml.Node, indent int) string {
	var b strings.Builder
	for i := 0; i+1 < len(n.Content); i += 2 {
		b.WriteString(l.pair(n.Content[i], n.Content[i+1], indent))
	}
	return b.String()
}

// item writes an item of a sequence whose dashes are at indent.
func (l layout) item(n *yaml.Node, indent int) string {
	dash := strings.Repeat(" ", indent) + "- "
	switch {
	case n.Kind == yaml.ScalarNode || isFlow(n):
		return dash + inline(n) + "\n"
	case n.Kind == yaml.MappingNode:
		return dash + l.mappingLines(n, indent+2)[indent+2:]
	default:
		return dash + layout{l.mapping, 2}.value(n, indent)[1:][indent+2:]
	}
}

// inline writes a scalar, or a collection in flow style, on one line.
func inline(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return scalarText(n, false)
	}
	return flowText(n)
}

// flowText writes a value on one line, as part of a flow collection.
func flowText(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, scalarText(n.Content[i], true)+": "+flowText(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, child := range n.Content {
			parts = append(parts, flowText(child))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return scalarText(n, true)
	}
}

// jsonText writes a value as compact JSON.
func jsonText(n *yaml.Node) string {
	var parts []string
	switch {
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, jsonText(n.Content[i])+":"+jsonText(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case n.Kind == yaml.SequenceNode:
		for _, child := range n.Content {
			parts = append(parts, jsonText(child))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case n.Tag == "!!str":
		text, _ := json.Marshal(n.Value) // a string always encodes
		return string(text)
	default:
		return n.Value
	}
}

// scalarText writes a new scalar on one line. With inFlow, it adds the quotes that a flow collection needs. The encoder
// writes one line because strings with line breaks are double-quoted.
func scalarText(n *yaml.Node, inFlow bool) string {
	bare := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Style: n.Style, Value: n.Value}
	if inFlow {
		text, _ := yaml.Marshal(&yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Content: []*yaml.Node{bare}})
		return strings.TrimSuffix(strings.TrimPrefix(string(text), "["), "]\n")
	}
	text, _ := yaml.Marshal(bare)
	return strings.TrimSuffix(string(text), "\n")
}

package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// reencode encodes the content of the document again from t. This keeps comments and quotes, and drops blank lines. It
// is the fallback if text cannot be added without another change. JSON documents never need it.
func (d *document) reencode(t *tree) (string, bool) {
	if d.isJSON {
		return "", false
	}
	quoteIndented(t.root)
	var b strings.Builder
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(t.layout.mapping)
	if t.layout.sequence == 0 {
		encoder.CompactSeqIndent()
	}
	if err := encoder.Encode(t.root); err != nil {
		return "", false
	}
	if err := encoder.Close(); err != nil {
		return "", false
	}
	content := b.String()
	head, tail := d.text[:d.body], d.text[d.tail:]
	if head != "" && !strings.HasSuffix(head, "\n") {
		head += d.lineEnds("\n") // the content starts on the line of the marker
	}
	if strings.TrimRight(d.text, breaks) == d.text {
		content = strings.TrimSuffix(content, "\n")
	}
	return head + d.lineEnds(content) + tail, true
}

// quoteIndented puts quotes around block scalars that start with a blank: the encoder gets their indentation wrong.
func quoteIndented(n *yaml.Node) {
	const block = yaml.LiteralStyle | yaml.FoldedStyle
	if n.Style&block != 0 && strings.TrimLeft(n.Value, " \t\n") != n.Value {
		n.Style = n.Style&^block | yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		quoteIndented(child)
	}
}

// flattenFlow changes everything inside a flow-style collection to flow style, and drops the comments there.
func flattenFlow(n *yaml.Node, inFlow bool) {
	if inFlow {
		n.HeadComment, n.LineComment, n.FootComment = "", "", ""
		if n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			n.Style = yaml.DoubleQuotedStyle
		} else if n.Kind != yaml.ScalarNode && n.Kind != yaml.AliasNode {
			n.Style |= yaml.FlowStyle
		}
	}
	for _, child := range n.Content {
		flattenFlow(child, inFlow || isFlow(n))
	}
}

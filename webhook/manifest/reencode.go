package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// reencode returns the document with its content encoded again from t: comments and quotes stay, blank lines go. It
// is what remains where text cannot be added without a change elsewhere. JSON documents never need it.
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
		head += d.lineEnds("\n") // the content started on the marker's line
	}
	if strings.TrimRight(d.text, breaks) == d.text {
		content = strings.TrimSuffix(content, "\n")
	}
	return head + d.lineEnds(content) + tail, true
}

// quoteIndented puts quotes around block scalars whose text starts with a blank: the encoder gets their indentation
// wrong.
func quoteIndented(n *yaml.Node) {
	const block = yaml.LiteralStyle | yaml.FoldedStyle
	if n.Style&block != 0 && strings.TrimLeft(n.Value, " \t\n") != n.Value {
		n.Style = n.Style&^block | yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		quoteIndented(child)
	}
}

// flattenFlow writes all below a collection in flow style in flow style too, without comments.
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

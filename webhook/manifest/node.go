package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// lineWidth is the maximum width of a flow-style array. A longer one is written with one item per line.
const lineWidth = 100

// newNode converts a value to nodes, with its fields in the order of its JSON encoding.
func newNode(value any) (*yaml.Node, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the value: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return nextNode(decoder)
}

func nextNode(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{Kind: yaml.ScalarNode}
	switch token := token.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		if token == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for decoder.More() {
			child, err := nextNode(decoder)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		n.Style = collectionStyle(n)
		_, err = decoder.Token() // the closing bracket
		return n, err
	case string:
		return stringNode(token), nil
	case nil:
		n.Tag, n.Value = "!!null", "null"
	default:
		n.Value = fmt.Sprint(token)
	}
	return n, nil
}

// collectionStyle returns flow style for empty collections and for short arrays of scalars, such as a command.
func collectionStyle(n *yaml.Node) yaml.Style {
	width := 0
	for _, child := range n.Content {
		width += len(child.Value) + len(`"", `)
		if n.Kind == yaml.MappingNode || child.Kind != yaml.ScalarNode || width > lineWidth {
			return 0
		}
	}
	for _, child := range n.Content {
		if child.Tag == "!!str" {
			child.Style = yaml.DoubleQuotedStyle
		}
	}
	return yaml.FlowStyle
}

// stringNode returns a string node, with quotes if YAML 1.1 or 1.2 would read the plain text as another type.
func stringNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
	if plain := (yaml.Node{}); !strings.ContainsAny(s, breaks) && plain.Encode(s) == nil {
		n.Tag, n.Style = plain.Tag, plain.Style
	}
	return n
}

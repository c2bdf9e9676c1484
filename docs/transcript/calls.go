package transcript

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// placeholder stands for what only a shell can tell.
const placeholder = "computed"

// Calls returns the calls of programs that a shell finds in a command, each as its words.
func (c Command) Calls() (calls [][]string, err error) {
	file, err := syntax.NewParser().Parse(strings.NewReader(c.Text), "")
	if err != nil {
		return nil, err
	}
	syntax.Walk(file, func(node syntax.Node) bool {
		if call, isCall := node.(*syntax.CallExpr); isCall && len(call.Args) > 0 {
			words := make([]string, len(call.Args))
			for i, word := range call.Args {
				words[i] = literal(word.Parts)
			}
			calls = append(calls, words)
		}
		return true
	})
	return calls, nil
}

func literal(parts []syntax.WordPart) string {
	var text strings.Builder
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit:
			text.WriteString(part.Value)
		case *syntax.SglQuoted:
			text.WriteString(part.Value)
		case *syntax.DblQuoted:
			text.WriteString(literal(part.Parts))
		default:
			text.WriteString(placeholder)
		}
	}
	return text.String()
}

// Package jsontext writes JSON without reflection, for the code that every request runs.
package jsontext

import "encoding/json"

// AppendString appends a string in quotes. For control characters and non-ASCII characters it uses encoding/json.
func AppendString(to []byte, text string) []byte {
	start, rest := len(to), 0
	to = append(to, '"')
	for i := range len(text) {
		switch b := text[i]; {
		case b < ' ' || b > '~':
			encoded, _ := json.Marshal(text) // a string always encodes
			return append(to[:start], encoded...)
		case b == '"' || b == '\\':
			to = append(append(to, text[rest:i]...), '\\')
			rest = i
		}
	}
	return append(append(to, text[rest:]...), '"')
}

// AppendStrings appends a list of strings.
func AppendStrings(to []byte, texts []string) []byte {
	to = append(to, '[')
	for i, text := range texts {
		if i > 0 {
			to = append(to, ',')
		}
		to = AppendString(to, text)
	}
	return append(to, ']')
}

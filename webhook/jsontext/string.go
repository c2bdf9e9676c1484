// Package jsontext writes JSON without reflection, where it is written for every request.
package jsontext

import "encoding/json"

// AppendString appends a string in quotes. One that needs escapes, or is not ASCII, is left to encoding/json.
func AppendString(to []byte, text string) []byte {
	for i := range len(text) {
		if b := text[i]; b < ' ' || b > '~' || b == '"' || b == '\\' {
			encoded, _ := json.Marshal(text) // a string always encodes
			return append(to, encoded...)
		}
	}
	to = append(to, '"')
	to = append(to, text...)
	return append(to, '"')
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

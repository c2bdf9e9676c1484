package scan

import (
	"errors"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// MaxDepth bounds how deep JSON may nest. A pod with an AdmissionReview around it needs fewer than 30 levels; a reader that
// recurses would exhaust its stack on a hostile one.
const MaxDepth = 128

// Check refuses text that is not valid JSON in UTF-8, or that readers could understand differently. What Fields finds in text that passes is
// what any other reader of JSON finds there.
func Check(text string) error {
	if err := hostile(text); err != nil {
		return err
	}
	switch {
	case !utf8.ValidString(text):
		return errors.New("its text is not UTF-8")
	case !gjson.Valid(text):
		return errors.New("its JSON is cut short or otherwise broken")
	}
	return nil
}

// hostile finds what is valid JSON, or may be, and yet not to be read: nesting deeper than MaxDepth; and halves of surrogate
// pairs in escapes, since readers differ in what they make of one that stands alone. The API server never sends either.
func hostile(text string) error {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			if depth++; depth > MaxDepth {
				return errors.New("its JSON nests too deep")
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] != '\\' {
					continue
				}
				if isSurrogate(text[i:]) {
					return errors.New(`its JSON writes a character as a pair of \u escapes; write it as it is, in UTF-8`)
				}
				i++
			}
		}
	}
	return nil
}

// isSurrogate tells whether an escape is one of \uD800 to \uDFFF.
func isSurrogate(escape string) bool {
	return len(escape) > 3 && escape[1] == 'u' && (escape[2] == 'd' || escape[2] == 'D') && escape[3] >= '8'
}

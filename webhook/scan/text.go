package scan

import "encoding/json"

// Text reads a string. Any other value is an error. It does not copy a string that equals one of expected.
func (c *Cursor) Text(expected ...string) string {
	if c.peek() != '"' {
		c.mustBe("a string")
		return ""
	}
	text := c.string()
	for _, e := range expected {
		if string(text) == e {
			return e
		}
	}
	return string(text)
}

// Texts reads a list of strings. Any other value, in the list or in its place, and a list that is too long, are
// errors.
func (c *Cursor) Texts() []string {
	var texts []string
	c.each(func() { texts = append(texts, c.Text()) })
	return texts
}

// string reads the string at the cursor. The result is a slice of the text, unless the string has escapes.
func (c *Cursor) string() []byte {
	if c.at == len(c.text) { // after a syntax error
		return nil
	}
	start := c.at
	end, escaped, high := stringEnd(c.text, start, c.high)
	if end < 0 {
		c.fail(errBroken)
		return nil
	}
	c.at, c.high = end, high
	if escaped {
		return c.unescape(c.text[start:end])
	}
	return c.text[start+1 : end-1]
}

// unescape handles only the simplest escapes itself, and uses encoding/json for the others.
func (c *Cursor) unescape(quoted []byte) []byte {
	plain := make([]byte, 0, len(quoted))
	for at := 1; at < len(quoted)-1; at++ {
		b := quoted[at]
		if b == '\\' {
			at++
			switch b = quoted[at]; b {
			case '"', '\\', '/':
			case 'n':
				b = '\n'
			case 't':
				b = '\t'
			default:
				var text string
				if err := json.Unmarshal(quoted, &text); err != nil {
					c.fail(errBroken)
				}
				return []byte(text)
			}
		}
		plain = append(plain, b)
	}
	return plain
}

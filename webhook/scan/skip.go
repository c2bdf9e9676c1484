package scan

import "math/bits"

// skip passes over any value, and checks that it is valid.
func (c *Cursor) skip() {
	switch c.peek() {
	case '{':
		c.members(func() {
			c.skipString()
			c.colon()
			c.skip()
		})
	case '[':
		c.members(c.skip)
	case '"':
		c.skipString()
	case 't':
		c.literal("true")
	case 'f':
		c.literal("false")
	case 'n':
		c.literal("null")
	default:
		c.skipNumber()
	}
}

func (c *Cursor) literal(word string) {
	if len(c.text)-c.at < len(word) || c.text[c.at:c.at+len(word)] != word {
		c.fail(errBroken)
		return
	}
	c.at += len(word)
}

// skipNumber follows RFC 8259, section 6: an optional minus, an integer without leading zeros, a fraction, an exponent.
func (c *Cursor) skipNumber() {
	c.take("-")
	switch {
	case c.take("0"):
	case c.digits():
	default:
		c.fail(errBroken)
		return
	}
	if c.take(".") && !c.digits() {
		c.fail(errBroken)
		return
	}
	if c.take("eE") {
		c.take("+-")
		if !c.digits() {
			c.fail(errBroken)
		}
	}
}

// take passes over one byte, if it is one of these.
func (c *Cursor) take(these string) bool {
	if c.at < len(c.text) {
		for i := range len(these) {
			if c.text[c.at] == these[i] {
				c.at++
				return true
			}
		}
	}
	return false
}

func (c *Cursor) digits() bool {
	start := c.at
	for c.at < len(c.text) && '0' <= c.text[c.at] && c.text[c.at] <= '9' {
		c.at++
	}
	return c.at > start
}

// skipString passes over a string, at whose opening quote the cursor is, and tells whether it has escapes.
func (c *Cursor) skipString() (escaped bool) {
	if c.at >= len(c.text) { // broken before
		return false
	}
	at := c.at + 1
	for {
		at = nextSpecial(c.text, at)
		if at >= len(c.text) || c.text[at] < ' ' {
			c.fail(errBroken)
			return escaped
		}
		if c.text[at] == '"' {
			c.at = at + 1
			return escaped
		}
		escaped = true
		length := escapeLength(c.text[at:])
		if length == 0 {
			c.fail(errBroken)
			return escaped
		}
		at += length
	}
}

// nextSpecial returns where the next quote, backslash or control character is, from at on; the text's length where there is
// none. Most of a pod is the inside of strings: eight bytes at a time make the whole scan about twice as fast.
func nextSpecial(text string, at int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; at+8 <= len(text); at += 8 {
		eight := text[at : at+8]
		word := uint64(eight[0]) | uint64(eight[1])<<8 | uint64(eight[2])<<16 | uint64(eight[3])<<24 |
			uint64(eight[4])<<32 | uint64(eight[5])<<40 | uint64(eight[6])<<48 | uint64(eight[7])<<56
		// A byte's high bit is set where the byte is zero after the exclusive or, or below 0x20. A borrow can set one above a true
		// hit by mistake, never below: the lowest is right.
		quote, backslash := word^(ones*'"'), word^(ones*'\\')
		hits := ((quote - ones) &^ quote) | ((backslash - ones) &^ backslash) | ((word - ones*' ') &^ word)
		if hits &= highs; hits != 0 {
			return at + bits.TrailingZeros64(hits)/8
		}
	}
	for ; at < len(text); at++ {
		if b := text[at]; b == '"' || b == '\\' || b < ' ' {
			return at
		}
	}
	return at
}

// escapeLength returns the length of the escape that the text begins with; 0 where it is none.
func escapeLength(text string) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) < 6 {
			return 0
		}
		for i := 2; i < 6; i++ {
			if b := text[i]; (b < '0' || '9' < b) && (b < 'a' || 'f' < b) && (b < 'A' || 'F' < b) {
				return 0
			}
		}
		return 6
	}
	return 0
}

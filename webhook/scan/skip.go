package scan

import (
	"encoding/binary"
	"math/bits"
)

// skip checks and skips the value at the cursor. It is one loop because it reads most of a pod.
func (c *Cursor) skip() {
	text, at, depth, high := c.text, c.at, c.depth, c.high
	var objects [MaxDepth + 1]bool // whether each level is an object; otherwise it is a list
	object := false                // whether the current level is one
value:
	if at = pastBlanks(text, at); at == len(text) {
		c.fail(errBroken)
		return
	}
	switch opening := text[at]; opening {
	case '"':
		at, _, high = stringEnd(text, at, high)
	case '{', '[':
		if depth++; depth > MaxDepth {
			c.fail(errTooDeep)
			return
		}
		object = opening == '{'
		objects[depth] = object
		at = pastBlanks(text, at+1)
		if at < len(text) && text[at] == closing(opening) {
			break
		}
		if object {
			goto name
		}
		goto value
	case 't':
		at = literalEnd(text, at, "true")
	case 'f':
		at = literalEnd(text, at, "false")
	case 'n':
		at = literalEnd(text, at, "null")
	default:
		at = numberEnd(text, at)
	}
	for at >= 0 && depth > c.depth {
		if at = pastBlanks(text, at); at == len(text) {
			break
		}
		next := text[at]
		at++
		switch {
		case next == ',' && object:
			at = pastBlanks(text, at)
			goto name
		case next == ',':
			goto value
		case next == '}' && object, next == ']' && !object:
			depth--
			object = objects[depth]
		default:
			at = -1
		}
	}
	if at < 0 || depth > c.depth {
		c.fail(errBroken)
		return
	}
	c.at, c.high = at, high
	return
name:
	if at < len(text) && text[at] == '"' {
		if at, _, high = stringEnd(text, at, high); at >= 0 {
			if at = pastBlanks(text, at); at < len(text) && text[at] == ':' {
				at++
				goto value
			}
		}
	}
	c.fail(errBroken)
}

// closing returns the closing bracket for an opening one.
func closing(opening byte) byte { return opening + 2 } // in ASCII, '}' comes two after '{', and ']' two after '['

func pastBlanks(text []byte, at int) int {
	for at < len(text) && text[at] <= ' ' &&
		(text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t') {
		at++
	}
	return at
}

// literal skips a word.
func (c *Cursor) literal(word string) {
	if end := literalEnd(c.text, c.at, word); end < 0 {
		c.fail(errBroken)
	} else {
		c.at = end
	}
}

// literalEnd returns the offset after the word, or -1 if the text has another. The functions below do the same for
// other tokens.
func literalEnd(text []byte, at int, word string) int {
	if end := at + len(word); end <= len(text) && string(text[at:end]) == word {
		return end
	}
	return -1
}

// numberEnd follows RFC 8259, section 6: an optional minus, an integer without leading zeros, a fraction, an
// exponent.
func numberEnd(text []byte, at int) int {
	if at < len(text) && text[at] == '-' {
		at++
	}
	if at < len(text) && text[at] == '0' {
		at++
	} else if at = digitsEnd(text, at); at < 0 {
		return -1
	}
	if at < len(text) && text[at] == '.' {
		if at = digitsEnd(text, at+1); at < 0 {
			return -1
		}
	}
	if at < len(text) && (text[at] == 'e' || text[at] == 'E') {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		at = digitsEnd(text, at)
	}
	return at
}

// digitsEnd requires at least one digit.
func digitsEnd(text []byte, at int) int {
	start := at
	for at < len(text) && '0' <= text[at] && text[at] <= '9' {
		at++
	}
	if at == start {
		return -1
	}
	return at
}

// stringEnd takes the offset of a string's opening quote. It also returns whether the string has escapes, and records
// non-ASCII bytes in high. Most of a pod is inside strings, so reading eight bytes at a time makes the whole scan
// about twice as fast.
func stringEnd(text []byte, at int, high uint64) (end int, escaped bool, _ uint64) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for at++; at < len(text); {
		if at+8 <= len(text) {
			word := binary.LittleEndian.Uint64(text[at:])
			high |= word
			// The high bit of a byte is set if the byte is below 0x21 (in the first word: a quote, which becomes
			// 0x20, or a control character) or zero (in the second word: a backslash). A borrow can set a false bit
			// above a true one, but never below: the lowest bit is right.
			quote, backslash := word^(ones*('"'^' ')), word^(ones*'\\')
			hits := (((quote - ones*0x21) &^ quote) | ((backslash - ones) &^ backslash)) & highs
			if hits == 0 {
				at += 8
				continue
			}
			at += bits.TrailingZeros64(hits) / 8
		}
		b := text[at]
		high |= uint64(b)
		switch {
		case b == '"':
			return at + 1, escaped, high
		case b == '\\':
			length := escapeLength(text[at:])
			if length == 0 {
				return -1, escaped, high
			}
			escaped = true
			at += length
		case b < ' ':
			return -1, escaped, high
		default: // in the last bytes of the text
			at++
		}
	}
	return -1, escaped, high
}

// escapeLength returns the length of the escape at the start of the text; 0 if there is none.
func escapeLength(text []byte) int {
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

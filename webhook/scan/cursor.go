// Package scan picks a few fields out of JSON in one pass, without decoding the rest. It trusts no input more than a full
// decode would: the whole text has to be valid JSON in UTF-8, and a field that stands twice, or is of another type than it
// should be, is an error that names it, since two readers could understand such a document differently. Names are compared as
// the API server compares them, with regard to case.
package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxDepth bounds how deep JSON may nest. A pod with an AdmissionReview around it needs fewer than 30 levels; a reader that
// recurses would exhaust its stack on a hostile one.
const MaxDepth = 128

var (
	errBroken  = errors.New("its JSON is cut short or otherwise broken")
	errTooDeep = errors.New("its JSON nests too deep")
)

// Cursor reads JSON from front to back. Every method that reads a value leaves the cursor behind it. From the first broken byte
// on it reads nothing more, and the methods answer as for an empty document.
type Cursor struct {
	text  string
	at    int
	depth int
	path  []string // to the value that is being read
	// broken is why the text is no JSON; problems are what is wrong with fields of it.
	broken   error
	problems []error
}

// Path is where the value that is being read stands: "spec.containers[0].name".
func (c *Cursor) Path() string {
	return strings.TrimPrefix(strings.Join(c.path, ""), ".")
}

// Complain notes what is wrong with the value that is being read. All problems come at once, at the end.
func (c *Cursor) Complain(format string, args ...any) {
	c.problems = append(c.problems, errors.New(strings.TrimSpace(c.Path()+" "+fmt.Sprintf(format, args...))))
}

// Separate returns what read complains about, apart from all other problems, and with paths that begin where it begins.
func (c *Cursor) Separate(read func()) error {
	problems, path := c.problems, c.path
	c.problems, c.path = nil, nil
	read()
	apart := errors.Join(c.problems...)
	c.problems, c.path = problems, path
	return apart
}

// Text reads a string. Of any other value it complains.
func (c *Cursor) Text() string {
	if c.peek() != '"' {
		c.mustBe("a string")
		return ""
	}
	return c.string()
}

// Boolean reads true or false. Of any other value it complains.
func (c *Cursor) Boolean() bool {
	switch c.peek() {
	case 't':
		c.literal("true")
		return true
	case 'f':
		c.literal("false")
		return false
	}
	c.mustBe("true or false")
	return false
}

// Raw reads any value and returns it as it stands.
func (c *Cursor) Raw() string { return c.Record(c.skip) }

// Record returns what read reads, as it stands.
func (c *Cursor) Record(read func()) string {
	c.peek()
	start := c.at
	read()
	return c.text[start:c.at]
}

// Null reads a null if there is one, and tells whether there was.
func (c *Cursor) Null() bool {
	if c.peek() != 'n' {
		return false
	}
	c.literal("null")
	return true
}

// Object calls visit for each field of an object, with its name; visit reads the value. Of any other value it complains.
func (c *Cursor) Object(visit func(name string)) { c.entries(".", "", visit) }

// Map is Object for a map, whose keys are not the API's but somebody's.
func (c *Cursor) Map(visit func(key string)) { c.entries("[", "]", visit) }

func (c *Cursor) entries(before, after string, visit func(name string)) {
	if c.peek() != '{' {
		c.mustBe("an object")
		return
	}
	c.members(func() {
		name := c.string()
		c.colon()
		c.path = append(c.path, before, name, after)
		visit(name)
		c.path = c.path[:len(c.path)-3]
	})
}

// Each calls visit for each item of a list of objects, with its index; visit reads the item. Of any other value it complains.
func (c *Cursor) Each(visit func(index int)) {
	if c.peek() != '[' {
		c.mustBe("a list")
		return
	}
	index := 0
	c.members(func() {
		c.path = append(c.path, "["+strconv.Itoa(index)+"]")
		if c.peek() == '{' {
			visit(index)
		} else {
			c.mustBe("an object")
		}
		c.path = c.path[:len(c.path)-1]
		index++
	})
}

// members reads an object or a list, at whose opening bracket the cursor is, and calls visit where each member begins.
func (c *Cursor) members(visit func()) {
	closing := c.text[c.at] + 2 // in ASCII, '}' comes two after '{', and ']' two after '['
	if c.depth++; c.depth > MaxDepth {
		c.fail(errTooDeep)
		return
	}
	c.at++
	for first := true; ; first = false {
		switch next := c.peek(); {
		case next == closing:
			c.at++
			c.depth--
			return
		case !first && next == ',':
			c.at++
			c.peek()
		case !first:
			c.fail(errBroken)
		}
		if c.broken != nil || closing == '}' && c.peek() != '"' {
			c.fail(errBroken)
			return
		}
		visit()
	}
}

// mustBe complains of a value's type, and passes it over.
func (c *Cursor) mustBe(what string) {
	kind := map[byte]string{'"': "a string", '{': "an object", '[': "a list", 't': "true", 'f': "false", 'n': "null"}[c.peek()]
	if kind == "" {
		kind = "a number"
	}
	c.skip()
	if c.broken == nil {
		c.Complain("must be %s, not %s", what, kind)
	}
}

// peek passes over blanks and returns the byte that comes next; 0 at the end.
func (c *Cursor) peek() byte {
	for c.at < len(c.text) {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return b
		}
	}
	return 0
}

func (c *Cursor) colon() {
	if c.peek() != ':' {
		c.fail(errBroken)
		return
	}
	c.at++
}

// fail ends the reading. What was wrong first counts.
func (c *Cursor) fail(err error) {
	if c.broken == nil {
		c.broken = err
	}
	c.at = len(c.text)
}

// string reads a string, at whose opening quote the cursor is. One with escapes is left to encoding/json.
func (c *Cursor) string() string {
	start := c.at
	escaped := c.skipString()
	if c.broken != nil {
		return ""
	}
	if !escaped {
		return c.text[start+1 : c.at-1]
	}
	var text string
	if err := json.Unmarshal([]byte(c.text[start:c.at]), &text); err != nil {
		c.fail(errBroken)
	}
	return text
}

// Package scan picks a few fields out of JSON in one pass, without decoding the rest. It trusts no input more than a full
// decode would: the whole text has to be valid JSON in UTF-8, and a field that stands twice, or is of another type than it
// should be, is an error that names it, since two readers could understand such a document differently. Names are compared as
// the API server compares them, with regard to case.
//
// What it returns is a copy: the text may be overwritten once it has been read.
//
// It is here because a decode costs a multiple: 0.2 ms more for a small pod, 4 ms more for one of 60 KB, on the path of every pod.
// encoding/json/v2's jsontext reads tokens without decoding, with the same checks. It replaces this package once the project's Go has
// it outside GOEXPERIMENT.
package scan

import (
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
	errNotUTF8 = errors.New("its text is not UTF-8")
	errMore    = errors.New("and more")
)

// Cursor reads JSON from front to back. Every method that reads a value leaves the cursor behind it. From the first broken byte
// on it reads nothing more, and the methods answer as for an empty document.
type Cursor struct {
	text  []byte
	at    int
	depth int
	path  []step   // to the value that is being read
	steps [16]step // of the path, while it is no longer than most
	// high has a high bit set if a string may have a byte beyond ASCII.
	high uint64
	// broken is why the text is no JSON; problems are what is wrong with fields of it.
	broken   error
	problems []error
}

// step is one of a path's: where in the text the name of a field or the key of a map is, or else the index in a list.
type step struct {
	kind stepKind
	at   int
}

type stepKind byte

const (
	fieldStep stepKind = iota
	keyStep
	indexStep
)

// Path is where the value that is being read stands: "spec.containers[0].name".
func (c *Cursor) Path() string {
	var path strings.Builder
	for _, s := range c.path {
		switch s.kind {
		case fieldStep:
			path.WriteString("." + c.nameAt(s.at))
		case keyStep:
			path.WriteString("[" + c.nameAt(s.at) + "]")
		case indexStep:
			path.WriteString("[" + strconv.Itoa(s.at) + "]")
		}
	}
	return strings.TrimPrefix(path.String(), ".")
}

// nameAt reads a name again.
func (c *Cursor) nameAt(at int) string {
	again := Cursor{text: c.text, at: at}
	return string(again.string())
}

// maxProblems bounds what is said about a document: it could be made of nothing but problems.
const maxProblems = 20

// Errorf records what is wrong with the value that is being read. All problems come at once, at the end; after the first maxProblems,
// no more than that there are more.
func (c *Cursor) Errorf(format string, args ...any) {
	if len(c.problems) >= maxProblems {
		c.problems = append(c.problems[:maxProblems], errMore)
		return
	}
	c.problems = append(c.problems, errors.New(strings.TrimSpace(c.Path()+" "+fmt.Sprintf(format, args...))))
}

// Isolate returns the errors of read, apart from all other problems, and with paths that begin where it begins.
func (c *Cursor) Isolate(read func()) error {
	problems, path := c.problems, c.path
	c.problems, c.path = nil, c.path[len(c.path):]
	read()
	apart := errors.Join(c.problems...)
	c.problems, c.path = problems, path
	return apart
}

// Boolean reads true or false. Any other value is an error.
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
func (c *Cursor) Raw() string {
	start := c.Mark()
	c.Skip()
	return c.Since(start)
}

// Skip passes over any value.
func (c *Cursor) Skip() {
	c.peek()
	c.skip()
}

// Mark is where the next value begins, for Since.
func (c *Cursor) Mark() int {
	c.peek()
	return c.at
}

// Since returns what has been read since a mark, as it stands.
func (c *Cursor) Since(mark int) string { return string(c.text[mark:c.at]) }

// Null reads a null if there is one, and tells whether there was.
func (c *Cursor) Null() bool {
	if c.peek() != 'n' {
		return false
	}
	c.literal("null")
	return true
}

// Map calls visit for each entry of a map, with its key; visit reads the value, and copies the key to keep it. Any other
// value is an error.
func (c *Cursor) Map(visit func(key []byte)) {
	if c.peek() != '{' {
		c.mustBe("an object")
		return
	}
	for m := c.enter(); c.next(&m); {
		c.path = append(c.path, step{keyStep, c.at})
		key := c.name()
		visit(key)
		c.path = c.path[:len(c.path)-1]
	}
}

// maxItems bounds the lists that are read. A pod that etcd can hold has fewer containers, volumes or sysctls; what is kept of each may
// be larger than its JSON.
const maxItems = 10_000

// Each calls visit for each object of a list, which visit reads. Any other value, in the list or in its place, and a list that
// is too long, are errors.
func (c *Cursor) Each(visit func()) {
	c.each(func() {
		if c.peek() == '{' {
			visit()
		} else {
			c.mustBe("an object")
		}
	})
}

func (c *Cursor) each(visit func()) {
	if c.peek() != '[' {
		c.mustBe("a list")
		return
	}
	index := 0
	for m := c.enter(); c.next(&m); index++ {
		if index >= maxItems {
			if c.skip(); index == maxItems && c.broken == nil {
				c.Errorf("has more than %d entries", maxItems)
			}
			continue
		}
		c.path = append(c.path, step{indexStep, index})
		visit()
		c.path = c.path[:len(c.path)-1]
	}
}

// members is an object or a list that is being read.
type members struct {
	closing byte
	begun   bool
}

// enter goes into an object or a list, at whose opening bracket the cursor is.
func (c *Cursor) enter() members {
	opening := c.text[c.at]
	if c.depth++; c.depth > MaxDepth {
		c.fail(errTooDeep)
	} else {
		c.at++
	}
	return members{closing: closing(opening)}
}

// next goes to the next member, or behind the closing bracket when there is none.
func (c *Cursor) next(m *members) bool {
	switch next := c.peek(); {
	case next == m.closing:
		c.at++
		c.depth--
		return false
	case m.begun && next == ',':
		c.at++
		c.peek()
	case m.begun:
		c.fail(errBroken)
	}
	m.begun = true
	if c.at == len(c.text) || m.closing == '}' && c.text[c.at] != '"' {
		c.fail(errBroken)
		return false
	}
	return true
}

// name reads a member's name and the colon behind it.
func (c *Cursor) name() []byte {
	name := c.string()
	if c.peek() != ':' {
		c.fail(errBroken)
		return name
	}
	c.at++
	return name
}

// mustBe reports that a value is of the wrong type, and skips it.
func (c *Cursor) mustBe(what string) {
	kind := map[byte]string{'"': "a string", '{': "an object", '[': "a list", 't': "true", 'f': "false", 'n': "null"}[c.peek()]
	if kind == "" {
		kind = "a number"
	}
	c.skip()
	if c.broken == nil {
		c.Errorf("must be %s, not %s", what, kind)
	}
}

// peek passes over blanks and returns the byte that comes next; 0 at the end.
func (c *Cursor) peek() byte {
	c.at = pastBlanks(c.text, c.at)
	if c.at == len(c.text) {
		return 0
	}
	return c.text[c.at]
}

// fail ends the reading. What was wrong first counts.
func (c *Cursor) fail(err error) {
	if c.broken == nil {
		c.broken = err
	}
	c.at = len(c.text)
}

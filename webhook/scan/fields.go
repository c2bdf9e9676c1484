package scan

import (
	"bytes"
	"errors"
	"slices"
	"unicode/utf8"
)

// Reader reads the value that the cursor is at into a T.
type Reader[T any] func(into *T, c *Cursor)

// Fields says what to do with the fields of a JSON object, by their names. All others are passed over.
type Fields[T any] map[string]Reader[T]

// Read reads a whole document, which has to be an object. All that is wrong with its fields comes at once.
func Read[T any](text []byte, into *T, fields Fields[T]) error {
	const highs = 0x8080808080808080
	c := &Cursor{text: text, path: make([]step, 0, 16)}
	fields.Read(into, c)
	if c.peek() != 0 || c.at < len(c.text) {
		c.fail(errBroken)
	}
	// Bytes beyond ASCII are not broken inside strings alone, and those have been looked at.
	if (c.broken != nil || c.high&highs != 0) && !utf8.Valid(text) {
		return errNotUTF8
	}
	if c.broken != nil {
		return c.broken
	}
	return errors.Join(c.problems...)
}

// Read reads an object. A null, for the object or for a field, is as if it were absent, as in the API's own decoding.
func (f Fields[T]) Read(into *T, c *Cursor) {
	if c.Null() {
		return
	}
	if c.peek() != '{' {
		c.mustBe("an object")
		return
	}
	seen := make([][]byte, 0, 16)
	for m := c.enter(); c.next(&m); {
		name := c.name()
		read, known := f[string(name)]
		if !known {
			c.Skip()
			continue
		}
		c.path = append(c.path, step{name: name})
		switch {
		case slices.ContainsFunc(seen, func(before []byte) bool { return bytes.Equal(before, name) }):
			c.Complain("stands there twice")
			c.Skip()
		case c.Null():
			seen = append(seen, name)
		default:
			seen = append(seen, name)
			read(into, c)
		}
		c.path = c.path[:len(c.path)-1]
	}
}

// Text reads a string. Of those that are expected no copy need be made.
func Text[T any](of func(*T) *string, expected ...string) Reader[T] {
	return func(into *T, c *Cursor) { *of(into) = c.Text(expected...) }
}

// Boolean reads true or false.
func Boolean[T any](of func(*T) *bool) Reader[T] {
	return func(into *T, c *Cursor) { *of(into) = c.Boolean() }
}

// Raw keeps a value as it stands.
func Raw[T any](of func(*T) *string) Reader[T] {
	return func(into *T, c *Cursor) { *of(into) = c.Raw() }
}

// List reads each object of a list into an item of its own.
func List[T, Item any](of func(*T) *[]Item, fields Fields[Item]) Reader[T] {
	return func(into *T, c *Cursor) {
		items := of(into)
		c.Each(func() {
			*items = append(*items, *new(Item))
			fields.Read(&(*items)[len(*items)-1], c)
		})
	}
}

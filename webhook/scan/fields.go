package scan

import (
	"errors"
	"slices"
	"unicode/utf8"
)

// Reader reads the value that the cursor is at into a T.
type Reader[T any] func(into *T, c *Cursor)

// Fields says what to do with the fields of a JSON object, by their names. All others are passed over.
type Fields[T any] map[string]Reader[T]

// Read reads a whole document, which has to be an object. All that is wrong with its fields comes at once.
func Read[T any](text string, into *T, fields Fields[T]) error {
	if !utf8.ValidString(text) {
		return errors.New("its text is not UTF-8")
	}
	c := &Cursor{text: text}
	fields.Read(into, c)
	if c.peek() != 0 || c.at < len(c.text) {
		c.fail(errBroken)
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
	seen := make([]string, 0, 16)
	c.Object(func(name string) {
		read, known := f[name]
		switch {
		case !known:
			c.skip()
		case slices.Contains(seen, name):
			c.Complain("stands there twice")
			c.skip()
		case c.Null():
			seen = append(seen, name)
		default:
			seen = append(seen, name)
			read(into, c)
		}
	})
}

// Text reads a string.
func Text[T any](of func(*T) *string) Reader[T] {
	return func(into *T, c *Cursor) { *of(into) = c.Text() }
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
		c.Each(func(index int) {
			*items = append(*items, *new(Item))
			fields.Read(&(*items)[index], c)
		})
	}
}

package scan

import (
	"errors"
	"maps"
	"slices"
	"unicode/utf8"
)

// Reader reads the next value into a T.
type Reader[T any] func(into *T, c *Cursor)

// Fields maps the names of fields to their readers. All other fields are skipped.
type Fields[T any] map[string]Reader[T]

// Read reads a whole document. The error lists all errors of its fields.
func Read[T any](text []byte, into *T, document Reader[T]) error {
	const highs = 0x8080808080808080
	c := &Cursor{text: text}
	c.path = c.steps[:0]
	document(into, c)
	if c.peek() != 0 || c.at < len(c.text) {
		c.fail(errBroken)
	}
	// Only strings may contain non-ASCII bytes, and c.high covers those.
	if (c.broken != nil || c.high&highs != 0) && !utf8.Valid(text) {
		return errNotUTF8
	}
	if c.broken != nil {
		return c.broken
	}
	return errors.Join(c.problems...)
}

// maxFields is the number of bits in seen.
const maxFields = 64

// Object reads an object. A null object or field counts as absent, as in the API server.
func Object[T any](fields Fields[T]) Reader[T] {
	names := slices.Sorted(maps.Keys(fields))
	if len(names) > maxFields {
		panic("scan: an object has too many fields")
	}
	readers := make([]Reader[T], len(names))
	for i, name := range names {
		readers[i] = fields[name]
	}
	return func(into *T, c *Cursor) {
		if c.Null() {
			return
		}
		if c.peek() != '{' {
			c.mustBe("an object")
			return
		}
		var seen uint64 // a bit for each name
		for m := c.enter(); c.next(&m); {
			here := step{fieldStep, c.at}
			name := c.name()
			// A map lookup would be slower: there are few names, and most differ in length.
			field := slices.IndexFunc(names, func(known string) bool { return known == string(name) })
			if field < 0 {
				c.Skip()
				continue
			}
			c.path = append(c.path, here)
			switch {
			case seen>>field&1 == 1:
				c.Errorf("stands there twice")
				c.Skip()
			case c.Null():
			default:
				readers[field](into, c)
			}
			seen |= 1 << field
			c.path = c.path[:len(c.path)-1]
		}
	}
}

// Text reads a string. It does not copy a string that equals one of expected.
func Text[T any](of func(*T) *string, expected ...string) Reader[T] {
	return func(into *T, c *Cursor) { *of(into) = c.Text(expected...) }
}

// Texts reads a list of strings.
func Texts[T any](of func(*T) *[]string) Reader[T] {
	return func(into *T, c *Cursor) { *of(into) = c.Texts() }
}

// Boolean reads true or false.
func Boolean[T any](of func(*T) *bool) Reader[T] {
	return func(into *T, c *Cursor) { *of(into) = c.Boolean() }
}

// Raw reads the text of any value.
func Raw[T any](of func(*T) *string) Reader[T] {
	return func(into *T, c *Cursor) { *of(into) = c.Raw() }
}

// List reads each object of a list into an item.
func List[T, Item any](of func(*T) *[]Item, fields Fields[Item]) Reader[T] {
	item := Object(fields)
	return func(into *T, c *Cursor) {
		items := of(into)
		c.Each(func() {
			*items = append(*items, *new(Item))
			item(&(*items)[len(*items)-1], c)
		})
	}
}

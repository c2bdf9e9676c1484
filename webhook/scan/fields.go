// Package scan picks a few fields out of JSON in one pass, without decoding the rest. It trusts no input more than a full
// decode would: a field that stands twice, or is of another type than it should be, is an error that names it, since two
// readers could understand such a document differently. Names are compared as the API server compares them, with regard to
// case.
package scan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Reader reads one value, found at path, into a T.
type Reader[T any] func(into *T, value gjson.Result, path *field.Path) error

// Fields says what to do with the fields of a JSON object, by their names. All others are passed over.
type Fields[T any] map[string]Reader[T]

// Read calls the reader of each field that object has. A null, for the object or for a field, is as if it were absent, as
// in the API's own decoding. All errors come at once. A nil path is the document itself.
func (f Fields[T]) Read(into *T, object gjson.Result, path *field.Path) error {
	if object.Type == gjson.Null {
		return nil
	}
	if !object.IsObject() {
		return MustBe("an object", object, path)
	}
	var errs []error
	seen := make([]string, 0, 16)
	object.ForEach(func(key, value gjson.Result) bool {
		read, known := f[key.Str]
		if !known {
			return true
		}
		at := Child(path, key.Str)
		if slices.Contains(seen, key.Str) {
			errs = append(errs, Twice(at))
			return true
		}
		seen = append(seen, key.Str)
		if value.Type == gjson.Null {
			return true
		}
		if err := read(into, value, at); err != nil {
			errs = append(errs, err)
		}
		return true
	})
	return errors.Join(errs...)
}

// Object reads the fields of a nested object.
func Object[T any](fields Fields[T]) Reader[T] {
	return fields.Read
}

// Text reads a string.
func Text[T any](of func(*T) *string) Reader[T] {
	return func(into *T, value gjson.Result, path *field.Path) error {
		if value.Type != gjson.String {
			return MustBe("a string", value, path)
		}
		*of(into) = value.Str
		return nil
	}
}

// Boolean reads true or false.
func Boolean[T any](of func(*T) *bool) Reader[T] {
	return func(into *T, value gjson.Result, path *field.Path) error {
		if !value.IsBool() {
			return MustBe("true or false", value, path)
		}
		*of(into) = value.Bool()
		return nil
	}
}

// List keeps a list of objects as it is, for a later look.
func List[T any](of func(*T) *gjson.Result) Reader[T] {
	return func(into *T, value gjson.Result, path *field.Path) error {
		*of(into) = value
		return Each(value, path, func(gjson.Result, *field.Path) error { return nil })
	}
}

// Each calls visit for each item of a list of objects.
func Each(list gjson.Result, path *field.Path, visit func(item gjson.Result, at *field.Path) error) error {
	if !list.IsArray() {
		return MustBe("a list", list, path)
	}
	var errs []error
	i := 0
	list.ForEach(func(_, item gjson.Result) bool {
		at := path.Index(i)
		i++
		if !item.IsObject() {
			errs = append(errs, MustBe("an object", item, at))
		} else if err := visit(item, at); err != nil {
			errs = append(errs, err)
		}
		return true
	})
	return errors.Join(errs...)
}

// Child is path.Child, also for the nil path of the document itself.
func Child(path *field.Path, name string) *field.Path {
	if path == nil {
		return field.NewPath(name)
	}
	return path.Child(name)
}

// MustBe is the error for a value of the wrong type.
func MustBe(what string, value gjson.Result, path *field.Path) error {
	if path == nil {
		return fmt.Errorf("must be %s, not %s", what, value.Type)
	}
	return fmt.Errorf("%s must be %s, not %s", path, what, value.Type)
}

// Twice is the error for a field that an object has more than once.
func Twice(path *field.Path) error {
	return fmt.Errorf("%s stands there twice", path)
}

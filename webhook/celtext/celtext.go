// Package celtext writes plain data as CEL (the Common Expression Language), for the admission policies that are
// generated from the project's own data.
package celtext

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Expression is CEL that Literal writes as it is.
type Expression string

// Optional is an entry of a map that the map has only if the expression is not empty.
type Optional string

// Literal writes plain data in CEL, of which JSON is a part but for one thing: the values of a map have to be of one
// type, and dyn() makes them so.
func Literal(value any) (string, error) {
	if text, is := value.(Expression); is {
		return string(text), nil
	}
	object, isMap := value.(map[string]any)
	if !isMap {
		text, err := json.Marshal(value)
		return string(text), err
	}
	fields := make([]string, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		key, err := Literal(name)
		if err != nil {
			return "", err
		}
		if text, is := object[name].(Optional); is {
			fields = append(fields, "?"+key+": optional.ofNonZeroValue(dyn("+string(text)+"))")
			continue
		}
		field, err := Literal(object[name])
		if err != nil {
			return "", err
		}
		fields = append(fields, key+": dyn("+field+")")
	}
	return "{" + strings.Join(fields, ", ") + "}", nil
}

// Case is a value of a variable, and the literal that it selects.
type Case struct{ Value, Literal string }

// Select returns the expression for the literal that a variable selects: CEL evaluates only that one. The last case
// is the one for any other value, so cases with its literal are left out.
func Select(variable string, cases ...Case) string {
	last := cases[len(cases)-1]
	selected := ""
	for _, c := range cases {
		if c.Literal != last.Literal {
			selected += "variables." + variable + " == '" + c.Value + "' ? " + c.Literal + "\n: "
		}
	}
	return selected + last.Literal
}

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

// Optional is an entry of a map. The map has it only if the expression is not empty.
type Optional string

// Literal writes plain data in CEL. JSON is valid CEL with one exception: the values of a map must have one type, so
// Literal wraps them in dyn().
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

// Case is a value of a variable, and the literal for it.
type Case struct{ Value, Literal string }

// Select returns an expression that selects a literal by the value of a variable. CEL evaluates only the selected
// literal. The last case is the default, so Select omits other cases with the same literal.
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

package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	jsonpatchv5 "github.com/evanphx/json-patch/v5"
	"gomodules.xyz/jsonpatch/v2"
)

// patched applies operations to a document with another JSON Patch library. The rewritten text must have this value.
func patched(document []byte, ops []jsonpatch.Operation) ([]byte, error) {
	text, err := json.Marshal(ops)
	if err != nil {
		return nil, fmt.Errorf("encode the patch: %w", err)
	}
	patch, err := jsonpatchv5.DecodePatch(text)
	if err != nil {
		return nil, fmt.Errorf("decode the patch: %w", err)
	}
	out, err := patch.Apply(document)
	if err != nil {
		return nil, fmt.Errorf("apply the patch: %w", err)
	}
	return out, nil
}

// reads reports whether text is one document of the same format with the value want.
func (d *document) reads(text string, want []byte) bool {
	s, err := read([]byte(text))
	if err != nil || len(s.documents) != 1 {
		return false
	}
	got := s.documents[0]
	return got.isJSON == d.isJSON && equalJSON(got.json, want)
}

// equalJSON compares two JSON texts by value.
func equalJSON(a, b []byte) bool {
	x, errX := decodeJSON(a)
	y, errY := decodeJSON(b)
	return errX == nil && errY == nil && equalValues(x, y)
}

// decodeJSON keeps the text of numbers: as float64, different large whole numbers could be equal.
func decodeJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	err := decoder.Decode(&v)
	return v, err
}

func equalValues(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !equalValues(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equalValues(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		return ok && equalNumbers(a.String(), b.String())
	default:
		return a == b
	}
}

// equalNumbers compares whole numbers by digits, and others by value, since 0.10 is read back as 0.1.
func equalNumbers(a, b string) bool {
	if a == b {
		return true
	}
	if !strings.ContainsAny(a, ".eE") && !strings.ContainsAny(b, ".eE") {
		return false
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

package manifest

import "github.com/tidwall/gjson"

// NonObject is a document that is not a Kubernetes object.
type NonObject struct {
	// Line is the line where the document starts in the input, counted from 1.
	Line int
	// What describes the document for a person: "a list".
	What string
}

// Documents counts the documents of a manifest that are Kubernetes objects, and returns those that are not. It ignores
// empty documents.
func Documents(in []byte) (objects int, others []NonObject, err error) {
	stream, err := read(in)
	if err != nil {
		return 0, nil, err
	}
	for _, doc := range stream.documents {
		value := gjson.ParseBytes(doc.json)
		if value.Type == gjson.Null {
			continue
		}
		if what := nonObject(value); what != "" {
			others = append(others, NonObject{Line: doc.lineOf(nil), What: what})
		} else {
			objects++
		}
	}
	return objects, others, nil
}

// nonObject describes a document that is not a Kubernetes object. It returns "" for an object.
func nonObject(value gjson.Result) string {
	hasKind := value.Get("kind").String() != "" && value.Get("apiVersion").String() != ""
	switch {
	case value.IsArray() && value.Get("0.op").Exists() && value.Get("0.path").Exists():
		return "a JSON patch"
	case value.IsArray():
		return "a list"
	case !value.IsObject():
		return "a single value"
	case hasKind:
		return ""
	case value.Get("resources").IsArray() || value.Get("patches").IsArray():
		return "a kustomization without apiVersion and kind"
	default:
		return "it has no apiVersion and kind, like a values file or a patch"
	}
}

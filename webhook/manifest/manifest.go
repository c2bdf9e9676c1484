// Package manifest edits the pod templates of Kubernetes manifests in place.
//
// Rewrite passes each pod template to a callback as JSON and writes the returned JSON Patch operations into the text.
// In block-style YAML, it only adds lines, and keeps comments, order, quotes, indentation and blank lines. If adding
// text is not enough (a value that an anchor shares, a merge key), it encodes that document again. In both cases it
// reads the result back and compares it with the result of an independent JSON Patch library. If the two differ, it
// returns an error and no output.
package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// Template is one pod template found in a manifest.
type Template struct {
	// APIVersion, Kind, Name and Namespace are those of the workload that contains the template, or "" if missing.
	// Name may be its generateName.
	APIVersion, Kind, Name, Namespace string
	// Path is the path of the template in its document: nil for a Pod, spec.template for a Deployment,
	// items[2].spec.template in a List.
	Path *field.Path
	// Line is the line where the workload starts in the input, counted from 1.
	Line int
	// ByShape is set if the kind is unknown, and the template was recognized by its fields.
	ByShape bool
	// Pod is the template as JSON: an object with metadata and spec.
	Pod []byte

	object Object
	path   []string // within the object
}

// Edit returns the changes to one template: the RFC 6902 operations "add", "replace" and "remove", with paths relative
// to the template.
type Edit func(Template) ([]jsonpatch.Operation, error)

// Object is one object of a manifest.
type Object struct {
	APIVersion, Kind, Name, Namespace string
	// Line is the line where the object starts in the input, counted from 1.
	Line int
	// JSON is the object. An item of a typed list (PodList) may lack apiVersion and kind here; the fields above have
	// them.
	JSON []byte

	document *document
	path     []string // within the document
}

// Rewrite edits each pod template that find returns. A document without changes stays the same, byte for byte.
// Rewrite joins the errors of all callbacks. Errors in the text have a line number, counted from the start of in.
func Rewrite(in []byte, find Find, edit Edit) ([]byte, error) {
	stream, err := read(in)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	var errs []error
	for _, doc := range stream.documents {
		text, err := doc.rewrite(find, edit)
		errs = append(errs, err)
		out.WriteString(doc.prefix + text)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return []byte(out.String()), nil
}

// Objects returns every object of a manifest, and the items of each List or ResourceList one by one. It skips documents
// that are empty or not a mapping; Documents reports those that are not objects.
func Objects(in []byte) ([]Object, error) {
	stream, err := read(in)
	if err != nil {
		return nil, err
	}
	var all []Object
	for _, doc := range stream.documents {
		all = append(all, doc.objects()...)
	}
	return all, nil
}

// IsEmpty reports whether a manifest contains only comments, blanks and document markers.
func IsEmpty(in []byte) bool {
	return !slices.ContainsFunc(split(string(in)), func(c chunk) bool { return !c.empty })
}

// rewrite returns the document's text with its templates edited.
func (d *document) rewrite(find Find, edit Edit) (string, error) {
	ops, err := d.operations(find, edit)
	if err != nil || len(ops) == 0 {
		return d.text, err
	}
	want, err := patched(d.json, ops)
	if err != nil {
		return "", fmt.Errorf("line %d: %w", d.lineOf(nil), err)
	}
	if equalJSON(want, d.json) {
		return d.text, nil
	}
	text, err := d.edited(ops)
	if err == nil && !d.reads(text, want) {
		err = errUneditable
	}
	if err != nil {
		return "", fmt.Errorf("line %d: %w", d.lineOf(nil), err)
	}
	return text, nil
}

// operations returns the operations of edit for all templates, with paths from the root of the document.
func (d *document) operations(find Find, edit Edit) ([]jsonpatch.Operation, error) {
	var all []jsonpatch.Operation
	var errs []error
	for _, o := range d.objects() {
		for _, location := range find(o) {
			path := slices.Concat(o.path, location.Path)
			ops, err := edit(Template{
				APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, Namespace: o.Namespace, Line: o.Line,
				ByShape: location.ByShape,
				Path:    workload.FieldPath(path), Pod: []byte(at(o.JSON, location.Path).Raw),
				object: o, path: location.Path,
			})
			errs = append(errs, err)
			for _, op := range ops {
				op.Path = pointer(path) + op.Path
				all = append(all, op)
			}
		}
	}
	return all, errors.Join(errs...)
}

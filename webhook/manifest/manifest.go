// Package manifest edits the pod templates of Kubernetes manifests in place.
//
// It knows workload kinds and text. Each pod template goes to a callback as JSON, and the JSON Patch operations that
// come back are written into the text itself: for block-style YAML the difference is the added lines, and comments,
// order, quotes, indentation and blank lines stay as they were. Where text cannot simply be added (a value that an
// anchor shares with others, a merge key), the one document is encoded again. Either way the result is read back and
// compared with what an independent JSON Patch library makes of the same document; what does not agree is an error,
// never output.
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
	// APIVersion, Kind, Name and Namespace are those of the workload that holds the template, "" where not stated.
	// Name may be its generateName.
	APIVersion, Kind, Name, Namespace string
	// Path leads to the template within its document: nil for a Pod, spec.template for a Deployment,
	// items[2].spec.template in a List.
	Path *field.Path
	// Line is where the workload starts in the input, counted from 1.
	Line int
	// ByShape is set where the template was found by what it looks like, in a kind that is not known.
	ByShape bool
	// Pod is the template as JSON: an object with metadata and spec.
	Pod []byte

	object Object
	place  []string // within the object
}

// Edit returns what to change in one template: RFC 6902 operations, "add", "replace" or "remove", with paths relative
// to the template.
type Edit func(Template) ([]jsonpatch.Operation, error)

// Object is one object of a manifest.
type Object struct {
	APIVersion, Kind, Name, Namespace string
	// Line is where the object starts in the input, counted from 1.
	Line int
	// JSON is the object. An item of a typed list (PodList) has APIVersion and Kind above even where the list leaves
	// them out here.
	JSON []byte

	document *document
	path     []string // within the document
}

// Rewrite returns in with each pod template of a known kind edited.
func Rewrite(in []byte, edit Edit) ([]byte, error) { return RewriteFound(in, inTable, edit) }

// RewriteFound returns in with each pod template edited that find finds. A document none of whose templates changes
// comes back byte for byte. The errors of all callbacks are joined as they are; errors in the text carry the line,
// counted from the start of in.
func RewriteFound(in []byte, find Find, edit Edit) ([]byte, error) {
	stream, err := read(in)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	out.WriteString(stream.mark)
	var errs []error
	for _, doc := range stream.documents {
		text, err := doc.rewrite(find, edit)
		errs = append(errs, err)
		out.WriteString(text)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return []byte(out.String()), nil
}

// Objects returns every object of a manifest, the items of a List or ResourceList one by one.
// Documents that are empty or no mapping are skipped; Documents tells which are no objects.
func Objects(in []byte) ([]Object, error) {
	stream, err := read(in)
	if err != nil {
		return nil, err
	}
	var all []Object
	for _, doc := range stream.documents {
		for _, o := range doc.objects() {
			all = append(all, o)
		}
	}
	return all, nil
}

// IsEmpty reports whether a manifest holds nothing but comments, blanks and markers.
func IsEmpty(in []byte) bool {
	return !slices.ContainsFunc(split(strings.TrimPrefix(string(in), byteOrderMark)),
		func(c chunk) bool { return !c.empty })
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

// operations asks edit about each template and returns the answers with paths from the root of the document.
func (d *document) operations(find Find, edit Edit) ([]jsonpatch.Operation, error) {
	var all []jsonpatch.Operation
	var errs []error
	for _, o := range d.objects() {
		for _, place := range find(o) {
			path := slices.Concat(o.path, place.Path)
			ops, err := edit(Template{
				APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name, Namespace: o.Namespace, Line: o.Line,
				ByShape: place.ByShape,
				Path:    workload.FieldPath(path), Pod: []byte(at(o.JSON, place.Path).Raw),
				object: o, place: place.Path,
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

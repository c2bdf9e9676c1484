package manifest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// Find returns where an object keeps its pod templates.
type Find func(Object) []workload.Location

// inTable finds the template of an object whose kind is in the table of workloads.
func inTable(o Object) []workload.Location {
	kind := workload.Find(o.APIVersion, o.Kind)
	if kind == nil || !at(o.JSON, kind.Path).IsObject() {
		return nil
	}
	return []workload.Location{{Path: kind.Path}}
}

// LineOf returns the line of the value at a path within the object, or of what leads there, counted from 1.
func (o Object) LineOf(path []string) int {
	if o.document == nil {
		return o.Line
	}
	return o.document.lineOf(slices.Concat(o.path, path))
}

// LineIn returns the line of a line of the text at a path within the object, both counted from 1.
func (o Object) LineIn(path []string, line int) int {
	if o.document == nil {
		return o.Line
	}
	return o.document.lineIn(slices.Concat(o.path, path), line)
}

// LineIn returns the line of a line of the text at a path within the template, both counted from 1.
func (t Template) LineIn(path []string, line int) int {
	return t.object.LineIn(slices.Concat(t.place, path), line)
}

// objects returns the document's object, or the items of the list that it is.
func (d *document) objects() []Object {
	return d.collect(gjson.ParseBytes(d.json), nil, Object{})
}

// collect does the work of objects for the value at path. The items of a typed list, as the API returns it, state
// neither apiVersion nor kind: implied is what the list says about them.
func (d *document) collect(value gjson.Result, path []string, implied Object) []Object {
	if !value.IsObject() {
		return nil
	}
	o := Object{
		APIVersion: value.Get("apiVersion").String(),
		Kind:       value.Get("kind").String(),
		Namespace:  value.Get("metadata.namespace").String(),
		JSON:       []byte(value.Raw),
		document:   d,
		path:       slices.Clip(path),
	}
	if o.APIVersion == "" && o.Kind == "" {
		o.APIVersion, o.Kind = implied.APIVersion, implied.Kind
	}
	items, ok := listItems(o.Kind, value)
	if !ok {
		o.Line = d.lineOf(path)
		o.Name = value.Get("metadata.name").String()
		if o.Name == "" {
			o.Name = value.Get("metadata.generateName").String()
		}
		return []Object{o}
	}
	implied = Object{}
	if element := strings.TrimSuffix(o.Kind, "List"); element != "" {
		implied = Object{APIVersion: o.APIVersion, Kind: element}
	}
	var all []Object
	for i, item := range items {
		all = append(all, d.collect(item, append(slices.Clip(path), "items", strconv.Itoa(i)), implied)...)
	}
	return all
}

// listItems returns the items of a list: of any kind called so, as long as they are all objects.
func listItems(kind string, value gjson.Result) ([]gjson.Result, bool) {
	items := value.Get("items")
	if !strings.HasSuffix(kind, "List") || !items.IsArray() {
		return nil, false
	}
	all := items.Array()
	return all, !slices.ContainsFunc(all, func(item gjson.Result) bool { return !item.IsObject() })
}

// at returns the value at a path of plain names and indices.
func at(json []byte, path []string) gjson.Result { return workload.At(gjson.ParseBytes(json), path) }

// pointer writes a path as a JSON Pointer (RFC 6901).
func pointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return b.String()
}

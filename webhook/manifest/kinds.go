package manifest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// Find returns the locations of an object's pod templates.
type Find func(Object) []workload.Location

// LineOf returns the line of the value at a path within the object, counted from 1. If the text does not contain the
// value, it returns the line of the closest parent.
func (o Object) LineOf(path []string) int {
	if o.document == nil {
		return o.Line
	}
	return o.document.lineOf(slices.Concat(o.path, path))
}

// LineIn returns the line in the input of one line of the text at a path within the object. Both are counted from 1.
func (o Object) LineIn(path []string, line int) int {
	if o.document == nil {
		return o.Line
	}
	return o.document.lineIn(slices.Concat(o.path, path), line)
}

// LineIn is like Object.LineIn, for a path within the template.
func (t Template) LineIn(path []string, line int) int {
	return t.object.LineIn(slices.Concat(t.path, path), line)
}

// objects returns the object of the document, or the items if it is a list.
func (d *document) objects() []Object {
	return d.collect(gjson.ParseBytes(d.json), nil, Object{})
}

// collect returns the objects of the value at path. The API returns the items of a typed list without apiVersion and
// kind; implied has those that follow from the kind of the list.
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

// listItems returns the items of a list. A list is an object without a name, whose kind ends with "List", and whose
// items are all objects. A custom resource such as an IPAllowList has a name. A plain List may have one: the API
// ignores it.
func listItems(kind string, value gjson.Result) ([]gjson.Result, bool) {
	items := value.Get("items")
	isNamed := value.Get("metadata.name").String()+value.Get("metadata.generateName").String() != ""
	if !strings.HasSuffix(kind, "List") || !items.IsArray() || isNamed && kind != "List" {
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

package workload

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Location is the place of a pod template in an object.
type Location struct {
	// Path leads to the template within the object; it is empty for a Pod.
	Path []string
	// ByShape is set if the template was found by its shape, because the kind is not in the table.
	ByShape bool
}

// Finder finds the pod templates of objects. The zero value finds those of the kinds in the table, and others by
// their shape.
type Finder struct {
	paths map[schema.GroupKind][]string
}

// NewFinder returns a Finder that also knows the paths of pod templates in some custom resources, each as
// KIND.GROUP=PATH, such as Rollout.argoproj.io=spec.template. In a path, * stands for every item of a list and every
// value of a mapping.
func NewFinder(templatePaths []string) (*Finder, error) {
	f := &Finder{paths: map[schema.GroupKind][]string{}}
	for _, text := range templatePaths {
		kind, path, found := strings.Cut(text, "=")
		names := splitPath(path)
		if !found || kind == "" || slices.Contains(names, "") {
			return nil, fmt.Errorf("%q is not KIND.GROUP=PATH, such as Rollout.argoproj.io=spec.template", text)
		}
		gk := schema.ParseGroupKind(kind)
		f.paths[gk] = append(f.paths[gk], strings.Join(names, "\x00"))
	}
	return f, nil
}

// splitPath splits spec.nodeSets[*].podTemplate into its names.
func splitPath(path string) []string {
	return strings.Split(strings.NewReplacer("[", ".", "]", "").Replace(path), ".")
}

// Find returns the locations of an object's pod templates.
func (f *Finder) Find(apiVersion, kind string, object gjson.Result) []Location {
	group, _, _ := strings.Cut(apiVersion, "/")
	if group == apiVersion {
		group = "" // the core group has only a version
	}
	if paths := f.paths[schema.GroupKind{Group: group, Kind: kind}]; paths != nil {
		var locations []Location
		for _, path := range paths {
			locations = append(locations, match(object, strings.Split(path, "\x00"), nil)...)
		}
		return locations
	}
	if known := Find(apiVersion, kind); known != nil {
		if !At(object, known.Path).IsObject() {
			return nil
		}
		return []Location{{Path: known.Path}}
	}
	return f.below(object, nil)
}

// match returns the mappings at a path whose names may be *.
func match(value gjson.Result, names, path []string) []Location {
	if len(names) == 0 {
		if !value.IsObject() {
			return nil
		}
		return []Location{{Path: path}}
	}
	var locations []Location
	eachChild(value, func(name string, child gjson.Result) {
		if names[0] == "*" || names[0] == name {
			locations = append(locations, match(child, names[1:], append(slices.Clip(path), name))...)
		}
	})
	return locations
}

// below finds templates by their shape, and those of whole objects of known kinds, anywhere below a value.
func (f *Finder) below(value gjson.Result, path []string) []Location {
	var locations []Location
	eachChild(value, func(name string, child gjson.Result) {
		if !child.IsObject() && !child.IsArray() {
			return
		}
		at := append(slices.Clip(path), name)
		apiVersion, kind := child.Get("apiVersion"), child.Get("kind")
		switch {
		case apiVersion.Type == gjson.String && kind.Type == gjson.String:
			for _, location := range f.Find(apiVersion.String(), kind.String(), child) {
				locations = append(locations, Location{slices.Concat(at, location.Path), location.ByShape})
			}
		case isTemplate(child):
			locations = append(locations, Location{at, true})
		default:
			locations = append(locations, f.below(child, at)...)
		}
	})
	return locations
}

// isTemplate reports whether a mapping looks like a pod template: its spec has a list of named containers, or it has
// nothing but fields of a pod and either init containers, or metadata with a key of the project. An operator adds the
// containers then.
func isTemplate(value gjson.Result) bool {
	spec := value.Get("spec")
	if !spec.IsObject() {
		return false
	}
	if areContainers(spec.Get("containers")) {
		return true
	}
	onlyPodFields := true
	spec.ForEach(func(name, _ gjson.Result) bool {
		_, onlyPodFields = podFields[name.String()]
		return onlyPodFields
	})
	return onlyPodFields && (areContainers(spec.Get("initContainers")) || hasKey(value.Get("metadata.annotations")) ||
		hasKey(value.Get("metadata.labels")))
}

// areContainers reports whether a value is a list of mappings, each with a name.
func areContainers(list gjson.Result) bool {
	isOne := func(item gjson.Result) bool {
		name := item.Get("name")
		return item.IsObject() && name.Type == gjson.String && name.String() != ""
	}
	items := list.Array()
	return list.IsArray() && len(items) > 0 &&
		!slices.ContainsFunc(items, func(item gjson.Result) bool { return !isOne(item) })
}

func hasKey(entries gjson.Result) (found bool) {
	entries.ForEach(func(key, _ gjson.Result) bool {
		found = strings.HasPrefix(key.String(), v1alpha1.GroupName+"/")
		return !found
	})
	return found
}

// podFields are the fields of a pod's spec.
var podFields = fieldsOf(reflect.TypeFor[corev1.PodSpec]())

func fieldsOf(spec reflect.Type) map[string]struct{} {
	fields := map[string]struct{}{}
	for i := range spec.NumField() {
		name, _, _ := strings.Cut(spec.Field(i).Tag.Get("json"), ",")
		fields[name] = struct{}{}
	}
	return fields
}

// At returns the value at a path of names and indices.
func At(value gjson.Result, path []string) gjson.Result {
	for _, name := range path {
		var next gjson.Result
		eachChild(value, func(child string, at gjson.Result) {
			if child == name {
				next = at
			}
		})
		value = next
	}
	return value
}

// FieldPath converts a path to the type of the API's messages; nil for the root.
func FieldPath(path []string) *field.Path {
	var p *field.Path
	for _, name := range path {
		index, err := strconv.Atoi(name)
		switch {
		case err == nil:
			p = p.Index(index)
		case p == nil:
			p = field.NewPath(name)
		case strings.Contains(name, "."):
			p = p.Key(name)
		default:
			p = p.Child(name)
		}
	}
	return p
}

// eachChild calls do for each value of a mapping and each item of a list; an item's name is its index.
func eachChild(value gjson.Result, do func(name string, child gjson.Result)) {
	index := 0
	isList := value.IsArray()
	if !isList && !value.IsObject() {
		return
	}
	value.ForEach(func(key, child gjson.Result) bool {
		name := key.String()
		if isList {
			name = strconv.Itoa(index)
		}
		index++
		do(name, child)
		return true
	})
}

package inspect

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/injection"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

const (
	annotations = "annotations"
	labels      = "labels"
)

// maxKeyDepth limits the depth of keys that are found. Each level is scanned once for each level above it.
const maxKeyDepth = 100

// key is a key of the project, or a similar key, anywhere in an object.
type key struct {
	path  []string // the path of its mapping
	name  string
	value gjson.Result
}

// kind says whether the key is among annotations or labels, by the name of its mapping.
func (k key) kind() string {
	if strings.HasSuffix(strings.ToLower(k.path[len(k.path)-1]), labels) {
		return labels
	}
	return annotations
}

// Keys reports the keys of the project that have no effect in their place. It skips the pod templates at locations,
// since the decision on the pod reports their keys.
//
//	key                                          finding
//	in the metadata above a pod template         an error with the template's path
//	misspelled, anywhere                         an error with the nearest key
//	of a Namespace or RuntimeClass               an error if the value is invalid, or the key is not in its place
//	elsewhere in an object of an unknown kind    a warning: its controller may copy the key to its pods
func Keys(o Object, locations []workload.Location) []Finding {
	return FirstKeys(math.MaxInt, o, locations)
}

// FirstKeys is Keys for the first keys of an object, at most a given number. The work for a key can depend on the size
// of the whole object.
func FirstKeys(most int, o Object, locations []workload.Location) []Finding {
	var findings []Finding
	keys := keysBelow(o.JSON, nil)
	for _, k := range keys[:min(most, len(keys))] {
		if f := judge(o, k, locations); f != nil {
			f.Path = append(slices.Clip(k.path), k.name)
			findings = append(findings, *f)
		}
	}
	return findings
}

func judge(o Object, k key, locations []workload.Location) *Finding {
	if administered := administeredKeys(o); administered != nil && isMetadata(k.path) {
		return administered.judge(k)
	}
	if !strings.HasPrefix(k.name, prefix) {
		return misspelled(k, locations)
	}
	if inTemplate(k.path, locations) || slices.Contains(written, k.name) {
		return nil
	}
	nearest := injection.NearestKey(k.name)
	location, above := locationFor(k, locations)
	switch kind := administrator(k.name); {
	case kind != "" && nearest.Key != k.name:
		return &Finding{Reason: ReasonMisplacedKey, Err: field.Forbidden(k.fieldPath(), "this is a label of a "+kind)}
	case location != nil && (above || !location.ByShape):
		if sameInTemplate(o, k, nearest, *location) {
			return nil
		}
		return misplaced(k, nearest, target(location.Path, nearest.Kind))
	case nearest.Key != k.name:
		return unknown(k, target(templatePath(locations), nearest.Kind).Key(nearest.Key))
	case isBuiltIn(o):
		return &Finding{Reason: ReasonMisplacedKey, Warning: true, Err: field.Forbidden(k.fieldPath(),
			fmt.Sprintf("this has no effect in a %s: it is a key of a pod's metadata.%s", o.Kind, nearest.Kind))}
	}
	return &Finding{Reason: ReasonUnknownKind, Warning: true, Err: field.Forbidden(k.fieldPath(),
		fmt.Sprintf("kind %s is not known, and this is not in a pod template: its controller decides whether its "+
			"pods get the key, and the webhook decides on those pods; if it has a template, name it with "+
			"--template-path", o.Kind))}
}

// written are the keys that the webhook writes and never reads.
var written = []string{v1alpha1.StatusAnnotation, v1alpha1.InjectedLabel}

func misplaced(k key, nearest injection.PodKey, at *field.Path) *Finding {
	if nearest.Key != k.name {
		return unknown(k, at.Key(nearest.Key))
	}
	return &Finding{Reason: ReasonMisplacedKey, Err: field.Forbidden(k.fieldPath(),
		fmt.Sprintf("this is a key of %s; move it there", at))}
}

func unknown(k key, nearest *field.Path) *Finding {
	return &Finding{Reason: ReasonUnknownKey, Err: field.Forbidden(k.fieldPath(),
		fmt.Sprintf("no such key; did you mean %s?", nearest))}
}

// misspelled returns the finding for a key whose prefix resembles the project's.
func misspelled(k key, locations []workload.Location) *Finding {
	_, name, _ := strings.Cut(k.name, "/")
	nearest := injection.NearestKey(prefix + name)
	template := templatePath(locations)
	if location, _ := locationFor(k, locations); location != nil {
		template = location.Path
	}
	return unknown(k, target(template, nearest.Kind).Key(nearest.Key))
}

// target is the path of the annotations or labels in the metadata of a template.
func target(template []string, kind string) *field.Path {
	return workload.FieldPath(append(slices.Clip(template), "metadata", kind))
}

// templatePath returns the first location, for a message.
func templatePath(locations []workload.Location) []string {
	if len(locations) == 0 {
		return nil
	}
	return locations[0].Path
}

// inTemplate reports whether a path leads to the annotations or labels of a template.
func inTemplate(path []string, locations []workload.Location) bool {
	return slices.ContainsFunc(locations, func(location workload.Location) bool {
		return slices.Equal(path, append(slices.Clip(location.Path), "metadata", annotations)) ||
			slices.Equal(path, append(slices.Clip(location.Path), "metadata", labels))
	})
}

// locationFor returns the template that a key is probably meant for: the one with the longest common path. above
// reports whether the key is in the metadata of an object that contains the template.
func locationFor(k key, locations []workload.Location) (found *workload.Location, above bool) {
	parent := k.path
	if isMetadata(k.path) || len(k.path) > 2 && k.path[len(k.path)-2] == "metadata" {
		parent = k.path[:len(k.path)-2]
	}
	best := -1
	for i := range locations {
		common := 0
		for common < min(len(parent), len(locations[i].Path)) && parent[common] == locations[i].Path[common] {
			common++
		}
		if common > best {
			best, found, above = common, &locations[i], common == len(parent)
		}
	}
	return found, above
}

// sameInTemplate reports whether a template has the key too, with the same value: tools such as kustomize add an
// annotation everywhere.
func sameInTemplate(o Object, k key, nearest injection.PodKey, location workload.Location) bool {
	in := workload.At(o.JSON, append(slices.Clip(location.Path), "metadata", nearest.Kind, k.name))
	return in.Exists() && in.String() == k.value.String()
}

func isMetadata(path []string) bool { return len(path) == 2 && path[0] == "metadata" }

// isBuiltIn reports whether a kind belongs to Kubernetes or to the project. Of these, only the kinds in the table have
// pods.
func isBuiltIn(o Object) bool {
	group, _, found := strings.Cut(o.APIVersion, "/")
	return !found && o.APIVersion != "" || found && (!strings.Contains(group, ".") ||
		strings.HasSuffix(group, ".k8s.io") || group == v1alpha1.GroupName)
}

const prefix = v1alpha1.GroupName + "/"

// maxDistance is how many letters may differ in a misspelled prefix of the project.
const maxDistance = 3

// looksLikeOurs reports whether a key has the project's prefix, or a similar one.
func looksLikeOurs(name string) bool {
	if strings.HasPrefix(name, prefix) {
		return true
	}
	domain, _, found := strings.Cut(strings.ToLower(name), "/")
	if !found || len(domain) > 2*len(v1alpha1.GroupName) {
		return false
	}
	host, _, _ := strings.Cut(v1alpha1.GroupName, ".")
	return strings.Contains(domain, host) || levenshtein.ComputeDistance(domain, v1alpha1.GroupName) <= maxDistance
}

// notKeys are mappings that select objects, or that programs write.
var notKeys = []string{"matchLabels", "selector", "podSelector", "namespaceSelector", "nodeSelector", "labelSelector",
	"managedFields"}

// keysBelow returns every key of the project in the mappings below a value.
func keysBelow(value gjson.Result, path []string) []key {
	if len(path) > maxKeyDepth {
		return nil
	}
	var keys []key
	index := 0
	value.ForEach(func(name, child gjson.Result) bool {
		step := name.String()
		if value.IsArray() {
			step = strconv.Itoa(index)
			index++
		} else if len(path) > 0 && looksLikeOurs(step) {
			keys = append(keys, key{path, step, child})
			return true
		}
		if (child.IsObject() || child.IsArray()) && !slices.Contains(notKeys, step) {
			keys = append(keys, keysBelow(child, append(slices.Clip(path), step))...)
		}
		return true
	})
	return keys
}

func (k key) fieldPath() *field.Path { return workload.FieldPath(k.path).Key(k.name) }

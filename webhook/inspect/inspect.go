// Package inspect judges objects from files or from a cluster, and reports what a person should change or know: keys
// without effect, the standard of a namespace, an installed guard that differs from the rendered one, and workloads
// that the guard would reject. It is pure: it reads no cluster and changes nothing.
package inspect

import (
	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Reasons of findings.
const (
	// ReasonMisplacedKey is for a key that has no effect in its place.
	ReasonMisplacedKey = "MisplacedKey"
	// ReasonUnknownKey is for a key that does not exist.
	ReasonUnknownKey = "UnknownKey"
	// ReasonUnknownValue is for a value that has no effect.
	ReasonUnknownValue = "UnknownValue"
	// ReasonUnknownKind is for a key in an object of an unknown kind, outside a pod template.
	ReasonUnknownKind = "UnknownKind"
)

// Finding is something that a person should change or know.
type Finding struct {
	// Path is the path of the key or field within the object.
	Path   []string
	Reason string
	// Err states the problem, its path, and what to do.
	Err *field.Error
	// Warning is set if the object may be as intended.
	Warning bool
}

// Object is an object of any kind.
type Object struct {
	APIVersion, Kind string
	JSON             gjson.Result
}

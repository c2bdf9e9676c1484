// Package inspect judges what is in files or in a cluster, and says what a person should change or know: keys that
// have no effect, the standard that holds in a namespace, an installed guard that differs from the rendered one, and
// workloads that the guard would reject. It is pure: it neither reads a cluster nor changes anything.
package inspect

import (
	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Reasons of findings.
const (
	// ReasonMisplacedKey is for a key that has no effect where it is.
	ReasonMisplacedKey = "MisplacedKey"
	// ReasonUnknownKey is for a key that does not exist.
	ReasonUnknownKey = "UnknownKey"
	// ReasonUnknownValue is for a value that has no effect.
	ReasonUnknownValue = "UnknownValue"
	// ReasonUnknownKind is for a key in an object of a kind that is not known, where no pod template is.
	ReasonUnknownKind = "UnknownKind"
)

// Finding is something that a person should change or know.
type Finding struct {
	// Path is what it is about, within the object.
	Path   []string
	Reason string
	// Err says what is wrong at which path, and what to do.
	Err *field.Error
	// Warning is set if the object may be as it is intended.
	Warning bool
}

// Object is an object of any kind.
type Object struct {
	APIVersion, Kind string
	JSON             gjson.Result
}

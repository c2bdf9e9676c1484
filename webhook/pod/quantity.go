package pod

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// maxQuantity is the greatest length of a quantity that is read. The API server writes none with more than 20 digits.
const maxQuantity = 64

// parseQuantity parses a quantity; false if it is none, or not bounded.
func parseQuantity(text string) (resource.Quantity, bool) {
	if !isBounded(text) {
		return resource.Quantity{}, false
	}
	quantity, err := resource.ParseQuantity(text)
	return quantity, err == nil
}

// isBounded reports whether a quantity is short, and has an exponent of at most two digits. Kubernetes calculates
// 1e-999999999 with as many digits, which takes minutes and gigabytes: to parse it, or to compare it with another
// (github.com/kubernetes/kubernetes, pull requests 141306 and 142013).
func isBounded(quantity string) bool {
	_, exponent, _ := strings.Cut(strings.ToLower(quantity), "e")
	return len(quantity) <= maxQuantity && len(strings.TrimLeft(exponent, "+-")) <= 2
}

// hugeExponent matches a JSON value that a quantity with a greater exponent can be. A quantity has no escapes.
var hugeExponent = regexp.MustCompile(`[:,\[]\s*"?\s*[+-]?[0-9.]+[eE][+-]?[0-9]{3,}\s*["\s,}\]]`)

// HasHugeExponent reports whether a container in JSON has such a value, so that it must not be decoded as a whole.
func HasHugeExponent(container string) bool { return hugeExponent.MatchString(container) }

package injection

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// PodKey is a key that a pod may have, and where: among its annotations or its labels.
type PodKey struct{ Kind, Key string }

// podKeys are the keys that a pod may have, and where.
var podKeys = []PodKey{
	{"annotations", v1alpha1.SysctlsAnnotation},
	{"annotations", v1alpha1.ProfilesAnnotation},
	{"annotations", v1alpha1.InjectAnnotation},
	{"annotations", v1alpha1.ModeAnnotation},
	{"annotations", v1alpha1.StrategyAnnotation},
	{"annotations", v1alpha1.StatusAnnotation},
	{"labels", v1alpha1.InjectedLabel},
}

// PodKeys returns the keys that a pod may have, and where.
func PodKeys() []PodKey { return slices.Clone(podKeys) }

// Modes returns the values of the annotation sysctl-injector.dev/mode, the default first.
func Modes() []string { return []string{modeSet, modeVerify} }

// maxKey is the length of the longest key that the API allows: a prefix, a slash and a name.
const maxKey = 253 + 1 + 63

// unknownKeys rejects annotations and labels with the project's prefix that mean nothing where they are.
func unknownKeys(p *pod.Pod, metadata *field.Path) []policy.Violation {
	var violations []policy.Violation
	for _, m := range []struct {
		kind    string
		entries map[string]string
	}{{"annotations", p.Annotations}, {"labels", p.Labels}} {
		for _, key := range slices.Sorted(maps.Keys(m.entries)) {
			if len(violations) < maxViolations && !slices.Contains(podKeys, PodKey{m.kind, key}) {
				violations = append(violations, unknownKey(m.kind, key, metadata))
			}
		}
	}
	return violations
}

// unknownKey says what the person who wrote a key probably meant: a key that is not understood is a parameter not
// set.
func unknownKey(kind, key string, metadata *field.Path) policy.Violation {
	key = key[:min(len(key), maxKey)] // the API server rejects a longer one
	path := metadata.Child(kind).Key(key)
	nearest := NearestKey(key)
	if nearest.Key == key {
		return policy.Violation{Reason: ReasonUnknownKey,
			Err: field.Forbidden(path, fmt.Sprintf("this is a key of %s; move it there", metadata.Child(nearest.Kind)))}
	}
	return policy.Violation{Reason: ReasonUnknownKey, Err: field.Forbidden(path,
		fmt.Sprintf("no such key; did you mean %s?", metadata.Child(nearest.Kind).Key(nearest.Key)))}
}

// NearestKey returns the key of a pod that is most like another one: itself, if it is one.
func NearestKey(key string) PodKey {
	key = key[:min(len(key), maxKey)]
	nearest := podKeys[0]
	for _, known := range podKeys {
		if levenshtein.ComputeDistance(known.Key, key) < levenshtein.ComputeDistance(nearest.Key, key) {
			nearest = known
		}
	}
	return nearest
}

// The modes of the annotation sysctl-injector.dev/mode.
const (
	modeSet    = "set"
	modeVerify = "verify"
)

// choice reads an annotation that has one of a few values. It returns absent if the pod does not have it.
func choice(p *pod.Pod, metadata *field.Path, key, absent string, values func() []string) (string, *policy.Violation) {
	text, has := p.Annotations[key]
	if !has {
		return absent, nil
	}
	chosen := strings.TrimSpace(text)
	if !slices.Contains(values(), chosen) {
		return "", &policy.Violation{Reason: policy.ReasonInvalidAnnotation,
			Err: field.NotSupported(metadata.Child("annotations").Key(key), text, values())}
	}
	return chosen, nil
}

// injects are the values of the annotation sysctl-injector.dev/inject.
func injects() []string { return []string{"true", "false"} }

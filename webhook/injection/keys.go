package injection

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// podKeys are the keys that a pod may carry, and where.
var podKeys = []struct{ kind, key string }{
	{"annotations", v1alpha1.SysctlsAnnotation},
	{"annotations", v1alpha1.ProfilesAnnotation},
	{"annotations", v1alpha1.InjectAnnotation},
	{"annotations", v1alpha1.StatusAnnotation},
	{"labels", v1alpha1.InjectedLabel},
}

// refuse says what the person who wrote a key probably meant: a key that is not understood is a parameter not set.
func (k misplacedKey) refuse(metadata *field.Path) policy.Refusal {
	path := metadata.Child(k.kind).Key(k.key)
	nearest := podKeys[0]
	for _, known := range podKeys {
		if known.key == k.key {
			return policy.Refusal{Reason: ReasonUnknownKey, Err: field.Forbidden(path, fmt.Sprintf("this is a key of %s; move it there", metadata.Child(known.kind)))}
		}
		if levenshtein.ComputeDistance(known.key, k.key) < levenshtein.ComputeDistance(nearest.key, k.key) {
			nearest = known
		}
	}
	return policy.Refusal{Reason: ReasonUnknownKey, Err: field.Forbidden(path, fmt.Sprintf("no such key; did you mean %s?", metadata.Child(nearest.kind).Key(nearest.key)))}
}

// optedOut reads the annotation sysctl-injector.dev/inject.
func (p *Pod) optedOut(metadata *field.Path) (bool, *policy.Refusal) {
	if p.inject == nil {
		return false, nil
	}
	switch strings.TrimSpace(*p.inject) {
	case "true":
		return false, nil
	case "false":
		return true, nil
	}
	path := metadata.Child("annotations").Key(v1alpha1.InjectAnnotation)
	return false, &policy.Refusal{Reason: policy.ReasonInvalidAnnotation, Err: field.NotSupported(path, *p.inject,
		[]string{strconv.FormatBool(true), strconv.FormatBool(false)})}
}

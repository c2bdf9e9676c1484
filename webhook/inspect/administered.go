package inspect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/workload"
)

// administered holds the keys that an administrator sets on objects of one kind, and their values.
type administered struct {
	apiVersion, kind string
	labels           map[string][]string
	annotations      []string // of any value
}

var administeredKinds = []administered{
	{
		apiVersion: corev1.SchemeGroupVersion.String(), kind: "Namespace",
		labels: map[string][]string{
			v1alpha1.InjectLabel:   {v1alpha1.InjectEnabled},
			v1alpha1.DefaultsLabel: {v1alpha1.DefaultsEnabled},
			v1alpha1.EnforceLabel:  {"baseline", "restricted", "privileged"},
		},
		annotations: []string{v1alpha1.FormerEnforceAnnotation},
	},
	{
		apiVersion: nodev1.SchemeGroupVersion.String(), kind: "RuntimeClass",
		labels: map[string][]string{v1alpha1.KernelLabel: {v1alpha1.KernelLabelGuest}},
	},
}

func administeredKeys(o Object) *administered {
	for i := range administeredKinds {
		if a := &administeredKinds[i]; a.apiVersion == o.APIVersion && a.kind == o.Kind {
			return a
		}
	}
	return nil
}

// judge returns the problem with a key in the metadata of an object of the kind; nil if there is none.
func (a *administered) judge(k key) *Finding {
	values, isLabel := a.labels[k.name]
	switch {
	case !strings.HasPrefix(k.name, prefix):
		return unknown(k, workload.FieldPath([]string{"metadata", labels}).Key(a.nearest(k.name)))
	case isLabel && k.kind() == annotations:
		return &Finding{Reason: ReasonMisplacedKey, Err: field.Forbidden(k.fieldPath(),
			"this is a label; move it to metadata.labels")}
	case isLabel && !slices.Contains(values, k.value.String()):
		return &Finding{Reason: ReasonUnknownValue, Err: field.Invalid(k.fieldPath(), k.value.String(),
			a.effect(k.name, values))}
	case isLabel, k.kind() == annotations && slices.Contains(a.annotations, k.name):
		return nil
	}
	return &Finding{Reason: ReasonMisplacedKey, Err: field.Forbidden(k.fieldPath(), fmt.Sprintf(
		"this has no effect in a %s, whose keys are the labels %s; keys of pods belong in the pod's metadata, "+
			"which is spec.template.metadata in a Deployment",
		a.kind, strings.Join(sortedKeys(a.labels), ", ")))}
}

// nearest returns the label that is most similar to a key.
func (a *administered) nearest(name string) string {
	return slices.MinFunc(sortedKeys(a.labels), func(x, y string) int {
		return levenshtein.ComputeDistance(x, name) - levenshtein.ComputeDistance(y, name)
	})
}

// administrator returns the kind that a key is a label of; "" if there is none.
func administrator(name string) string {
	for _, a := range administeredKinds {
		if _, ok := a.labels[name]; ok {
			return a.kind
		}
	}
	return ""
}

// effect describes the effect of a label with another value.
func (a *administered) effect(name string, values []string) string {
	switch name {
	case v1alpha1.InjectLabel:
		return "only the value " + v1alpha1.InjectEnabled + " enrolls the namespace; " +
			"if it must not be enrolled, remove the label"
	case v1alpha1.EnforceLabel:
		return "the guard treats any value except " + strings.Join(values, ", ") + " as restricted"
	}
	return "the only valid value is " + strings.Join(values, ", ")
}

func sortedKeys(of map[string][]string) []string { return slices.Sorted(maps.Keys(of)) }

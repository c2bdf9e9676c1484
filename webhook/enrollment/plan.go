// Package enrollment opens a namespace for the injected container and for nothing else: it plans the labels that hand the
// namespace over from Pod Security admission, which knows no exception for one container, to the guard; and it tells which
// workloads the guard would refuse.
package enrollment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Levels are the standards that a namespace can be held to.
func Levels() []string {
	return []string{string(psaapi.LevelBaseline), string(psaapi.LevelRestricted), string(psaapi.LevelPrivileged)}
}

// Plan is what is to change in a namespace. All of it is one patch: there is no moment in which the namespace is held to nothing.
type Plan struct {
	namespace           *corev1.Namespace
	labels, annotations map[string]*string // nil removes
}

// Enroll plans to open a namespace for the injected container, and to have the guard hold all others to level.
func Enroll(namespace *corev1.Namespace, level string) Plan {
	plan := Plan{namespace: namespace, annotations: map[string]*string{}, labels: map[string]*string{
		v1alpha1.InjectLabel:     new(v1alpha1.InjectEnabled),
		v1alpha1.EnforceLabel:    new(level),
		psaapi.EnforceLevelLabel: new(string(psaapi.LevelPrivileged)),
	}}
	if _, enrolled := namespace.Annotations[v1alpha1.FormerEnforceAnnotation]; !enrolled {
		plan.annotations[v1alpha1.FormerEnforceAnnotation] = new(namespace.Labels[psaapi.EnforceLevelLabel])
	}
	return plan
}

// Unenroll plans to give a namespace back as it was before Enroll.
func Unenroll(namespace *corev1.Namespace) Plan {
	plan := Plan{
		namespace:   namespace,
		labels:      map[string]*string{v1alpha1.InjectLabel: nil, v1alpha1.EnforceLabel: nil},
		annotations: map[string]*string{v1alpha1.FormerEnforceAnnotation: nil},
	}
	former, enrolled := namespace.Annotations[v1alpha1.FormerEnforceAnnotation]
	switch {
	case !enrolled: // somebody else has set the label, and knows what to
	case former == "":
		plan.labels[psaapi.EnforceLevelLabel] = nil
	default:
		plan.labels[psaapi.EnforceLevelLabel] = &former
	}
	return plan
}

// Changes tells what the plan changes, a line each, in order; none where all is so already.
func (p Plan) Changes() []string {
	var lines []string
	for _, part := range []struct {
		kind    string
		current map[string]string
		planned map[string]*string
	}{{"label", p.namespace.Labels, p.labels}, {"annotation", p.namespace.Annotations, p.annotations}} {
		for _, key := range slices.Sorted(maps.Keys(part.planned)) {
			before, has := part.current[key]
			switch after := part.planned[key]; {
			case after == nil && has:
				lines = append(lines, fmt.Sprintf("%s %s: remove %q", part.kind, key, before))
			case after != nil && !has:
				lines = append(lines, fmt.Sprintf("%s %s: add %q", part.kind, key, *after))
			case after != nil && *after != before:
				lines = append(lines, fmt.Sprintf("%s %s: change %q to %q", part.kind, key, before, *after))
			}
		}
	}
	return lines
}

// Patch returns the plan as one JSON merge patch (RFC 7386), for the namespace as it was seen: had somebody changed it since,
// the API server refuses the patch.
func (p Plan) Patch() ([]byte, error) {
	return json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": p.namespace.ResourceVersion, "labels": p.labels, "annotations": p.annotations,
	}})
}

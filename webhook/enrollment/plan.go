// Package enrollment plans the labels that move a namespace from Pod Security admission to the guard, and those that
// move it back. Pod Security admission has no exception for one container; the guard has. The package is pure.
// Package inspect checks whether the guard covers the namespace.
package enrollment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/inspect"
)

// Plan is a change of a namespace's metadata. It is one patch, so a standard applies at every moment.
type Plan struct {
	namespace           *corev1.Namespace
	labels, annotations map[string]*string // nil removes
}

// Enroll plans to open a namespace for the injected container. The guard then holds all other containers to level.
func Enroll(namespace *corev1.Namespace, level string) Plan {
	plan := Plan{namespace: namespace, annotations: map[string]*string{}, labels: map[string]*string{
		v1alpha1.InjectLabel:     new(v1alpha1.InjectEnabled),
		v1alpha1.EnforceLabel:    new(level),
		psaapi.EnforceLevelLabel: new(string(psaapi.LevelPrivileged)),
	}}
	if _, enrolled := former(namespace); !enrolled {
		plan.annotations[v1alpha1.FormerEnforceAnnotation] = new(namespace.Labels[psaapi.EnforceLevelLabel])
	}
	return plan
}

// EnableDefaults adds the label to the plan that makes profiles apply to the namespace's pods by spec.appliesTo.
func (p Plan) EnableDefaults() { p.labels[v1alpha1.DefaultsLabel] = new(v1alpha1.DefaultsEnabled) }

// Unenroll plans to restore a namespace's labels from before Enroll.
func Unenroll(namespace *corev1.Namespace) Plan {
	plan := Plan{
		namespace: namespace,
		labels: map[string]*string{v1alpha1.InjectLabel: nil, v1alpha1.EnforceLabel: nil,
			v1alpha1.DefaultsLabel: nil},
		annotations: map[string]*string{v1alpha1.FormerEnforceAnnotation: nil},
	}
	switch level, enrolled := former(namespace); {
	case !enrolled: // somebody else set Pod Security's label
	case level == "":
		plan.labels[psaapi.EnforceLevelLabel] = nil
	default:
		plan.labels[psaapi.EnforceLevelLabel] = &level
	}
	return plan
}

// former returns Pod Security's level from before Enroll, or "" if there was none. It trusts the annotation only
// while the labels are the ones that Enroll sets. Otherwise anyone who may annotate the namespace could make Unenroll
// lower its level.
func former(namespace *corev1.Namespace) (level string, enrolled bool) {
	level, noted := namespace.Annotations[v1alpha1.FormerEnforceAnnotation]
	_, ours := namespace.Labels[v1alpha1.EnforceLabel]
	_, err := psaapi.ParseLevel(level)
	enrolled = noted && ours && namespace.Labels[psaapi.EnforceLevelLabel] == string(psaapi.LevelPrivileged) &&
		(level == "" || err == nil)
	return level, enrolled
}

// Labels returns the namespace's labels after the change.
func (p Plan) Labels() map[string]string {
	labels := maps.Clone(p.namespace.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	for key, value := range p.labels {
		if value == nil {
			delete(labels, key)
		} else {
			labels[key] = *value
		}
	}
	return labels
}

// Handover describes the standards before and after the change, and reports whether the later one is weaker.
func (p Plan) Handover() (text string, weaker bool) {
	after := p.Labels()
	now, then := inspect.EffectiveLevel(p.namespace.Labels), inspect.EffectiveLevel(after)
	text = fmt.Sprintf("containers are held to %q now; then Pod Security admission holds them to %q", now, then)
	if _, labelled := after[psaapi.EnforceLevelLabel]; !labelled {
		text = fmt.Sprintf("containers are held to %q now; then Pod Security admission holds them to the cluster's "+
			"default level", now)
	}
	return text, psaapi.CompareLevels(then, now) < 0
}

// Changes describes each change of the plan in a line, in order. It is empty if nothing changes.
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

// Patch returns the plan as one JSON merge patch (RFC 7386). It holds the namespace's resource version: if somebody
// has changed the namespace in between, the API server rejects the patch.
func (p Plan) Patch() ([]byte, error) {
	return json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": p.namespace.ResourceVersion, "labels": p.labels, "annotations": p.annotations,
	}})
}

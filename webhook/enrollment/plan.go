// Package enrollment plans the labels by which Pod Security admission, which has no exception for one container,
// hands a namespace over to the guard, and those that give it back. It is pure. Whether the guard is ready to take
// over is for package inspect.
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

// Plan is what is to change in a namespace. All of it is one patch: there is no moment in which the namespace is held
// to nothing.
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
	if _, enrolled := former(namespace); !enrolled {
		plan.annotations[v1alpha1.FormerEnforceAnnotation] = new(namespace.Labels[psaapi.EnforceLevelLabel])
	}
	return plan
}

// EnableDefaults has the plan label the namespace so that profiles apply to its pods by their spec.appliesTo.
func (p Plan) EnableDefaults() { p.labels[v1alpha1.DefaultsLabel] = new(v1alpha1.DefaultsEnabled) }

// Unenroll plans to give a namespace back as it was before Enroll.
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

// IsEnrolled reports whether a namespace with these labels is enrolled, or was enrolled and lost one of its labels.
func IsEnrolled(labels map[string]string) bool {
	_, guarded := labels[v1alpha1.EnforceLabel]
	return guarded || labels[v1alpha1.InjectLabel] == v1alpha1.InjectEnabled
}

// former returns Pod Security's level from before Enroll, "" if there was none. The annotation that keeps it counts
// only while the labels are those that Enroll sets. Otherwise anyone who may annotate the namespace could have
// Unenroll lower its level.
func former(namespace *corev1.Namespace) (level string, enrolled bool) {
	level, noted := namespace.Annotations[v1alpha1.FormerEnforceAnnotation]
	_, ours := namespace.Labels[v1alpha1.EnforceLabel]
	_, err := psaapi.ParseLevel(level)
	enrolled = noted && ours && namespace.Labels[psaapi.EnforceLevelLabel] == string(psaapi.LevelPrivileged) &&
		(level == "" || err == nil)
	return level, enrolled
}

// Labels returns the namespace's labels as they are after the change.
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

// Handover says who holds the containers to which standard after the change, and whether that is weaker than now.
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

// Patch returns the plan as one JSON merge patch (RFC 7386), for the namespace as it was seen: had somebody changed
// it since, the API server rejects the patch.
func (p Plan) Patch() ([]byte, error) {
	return json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": p.namespace.ResourceVersion, "labels": p.labels, "annotations": p.annotations,
	}})
}

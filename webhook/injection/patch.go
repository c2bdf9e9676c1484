package injection

import (
	"encoding/json"
	"slices"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// metadata returns the operations of a JSON Patch (RFC 6902) that set the label and the annotations of an injected
// pod, as far as it does not have them already. All operations are written by hand rather than by comparing two pods:
// that would cost more than all the rest of an admission.
func metadata(p *pod.Pod, status string) []jsonpatch.Operation {
	ops := make([]jsonpatch.Operation, 0, 4)
	if p.Labels[v1alpha1.InjectedLabel] != "true" {
		ops = append(ops, injectedLabel.add(p.HasLabels, "true"))
	}
	if p.Annotations[v1alpha1.StatusAnnotation] != status {
		ops = append(ops, statusAnnotation.add(p.HasAnnotations, status))
	}
	return ops
}

func (i *Injector) addPullSecrets(p *pod.Pod) []jsonpatch.Operation {
	var missing []corev1.LocalObjectReference
	for _, name := range i.pullSecrets {
		if !slices.Contains(p.PullSecrets, name) {
			missing = append(missing, corev1.LocalObjectReference{Name: name})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if !p.HasPullSecrets {
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/spec/imagePullSecrets", missing)}
	}
	ops := make([]jsonpatch.Operation, len(missing))
	for n, secret := range missing {
		ops[n] = jsonpatch.NewOperation("add", "/spec/imagePullSecrets/-", secret)
	}
	return ops
}

// rawJSON is a part of a patch that is encoded already.
type rawJSON = json.RawMessage

// entry is one of a map of strings: where the map is, where the entry is in it, and the entry's key.
type entry struct{ mapPath, path, key string }

var (
	injectedLabel    = newEntry("/metadata/labels", v1alpha1.InjectedLabel)
	statusAnnotation = newEntry("/metadata/annotations", v1alpha1.StatusAnnotation)
)

func newEntry(mapPath, key string) entry { return entry{mapPath, mapPath + "/" + escape(key), key} }

// add sets the entry, and makes the map where the pod has none. The value is encoded here: to find out by
// reflection what it is would cost as much again.
func (e entry) add(mapExists bool, value string) jsonpatch.Operation {
	encoded := make(json.RawMessage, 0, len(e.key)+len(value)+64)
	if mapExists {
		return jsonpatch.NewOperation("add", e.path, json.RawMessage(jsontext.AppendString(encoded, value)))
	}
	encoded = jsontext.AppendString(append(encoded, '{'), e.key)
	encoded = jsontext.AppendString(append(encoded, ':'), value)
	return jsonpatch.NewOperation("add", e.mapPath, append(encoded, '}'))
}

// escape writes a key as a JSON Pointer's reference token (RFC 6901, section 3).
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

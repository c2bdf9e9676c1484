package convert

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	jsonpatchv5 "github.com/evanphx/json-patch/v5"
	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// rawTemplate shows which fields of a template are present.
type rawTemplate struct {
	Metadata map[string]json.RawMessage `json:"metadata"`
	Spec     struct {
		SecurityContext map[string]json.RawMessage `json:"securityContext"`
	} `json:"spec"`
}

// containerKeyPrefixes are prefixes of annotation keys that end with the name of a container. The API server rejects a
// key with a name that the pod does not have.
var containerKeyPrefixes = []string{
	corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix, "container.seccomp.security.alpha.kubernetes.io/",
}

// containerAnnotations are annotations whose value is the name of a container.
var containerAnnotations = []string{
	"kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/default-logs-container",
}

// Operations returns the RFC 6902 operations that convert the template. They add the annotation, and remove the
// containers with their volumes and the annotations about them.
func (r *Result) Operations() []jsonpatch.Operation {
	if !r.Changes() {
		return nil
	}
	return slices.Concat(r.annotate(), r.removeAnnotations(), r.changeNative(), r.removeContainers(), r.removeVolumes())
}

// Apply returns the converted template. It gets the text that was inspected.
func (r *Result) Apply(template []byte) ([]byte, error) {
	encoded, err := json.Marshal(r.Operations())
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatchv5.DecodePatch(encoded)
	if err != nil {
		return nil, err
	}
	return patch.Apply(template)
}

// annotate adds the lines to the annotation.
func (r *Result) annotate() []jsonpatch.Operation {
	if len(r.Assignments) == 0 {
		return nil
	}
	lines := make([]string, len(r.Assignments))
	for i, a := range r.Assignments {
		lines[i] = a.String()
	}
	existing, exists := r.template.Annotations[v1alpha1.SysctlsAnnotation]
	if existing = strings.TrimRight(existing, "\n"); existing != "" {
		lines = append([]string{existing}, lines...)
	}
	value := strings.Join(lines, "\n")
	if strings.Contains(value, "\n") {
		value += "\n"
	}
	path := "/metadata/annotations/" + escape(v1alpha1.SysctlsAnnotation)
	switch {
	case exists:
		return []jsonpatch.Operation{jsonpatch.NewOperation("replace", path, value)}
	case len(r.template.Annotations) > 0:
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", path, value)}
	}
	annotations := map[string]string{v1alpha1.SysctlsAnnotation: value}
	if r.raw.Metadata == nil {
		return []jsonpatch.Operation{
			jsonpatch.NewOperation("add", "/metadata", map[string]any{"annotations": annotations}),
		}
	}
	return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/annotations", annotations)}
}

func escape(key string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(key) }

// removed returns the names of the removed containers.
func (r *Result) removed() []string {
	var names []string
	for _, f := range r.Findings {
		if f.Converts() && f.List == InitContainers {
			names = append(names, f.Name)
		}
	}
	return names
}

// isObsolete reports whether an annotation is only about a removed container.
func (r *Result) isObsolete(key string) bool {
	for _, name := range r.removed() {
		if slices.Contains(containerAnnotations, key) && r.template.Annotations[key] == name {
			return true
		}
		if slices.ContainsFunc(containerKeyPrefixes, func(prefix string) bool { return key == prefix+name }) {
			return true
		}
	}
	return false
}

func (r *Result) removeAnnotations() []jsonpatch.Operation {
	var operations []jsonpatch.Operation
	for _, key := range slices.Sorted(maps.Keys(r.template.Annotations)) {
		if r.isObsolete(key) {
			operations = append(operations,
				jsonpatch.NewOperation("remove", "/metadata/annotations/"+escape(key), nil))
		}
	}
	return operations
}

func (r *Result) removeContainers() []jsonpatch.Operation {
	names := r.removed()
	inits := r.template.Spec.InitContainers
	switch len(names) {
	case 0:
		return nil
	case len(inits):
		return []jsonpatch.Operation{jsonpatch.NewOperation("remove", "/spec/initContainers", nil)}
	}
	var operations []jsonpatch.Operation
	for i := len(inits) - 1; i >= 0; i-- {
		if slices.Contains(names, inits[i].Name) {
			operations = append(operations,
				jsonpatch.NewOperation("remove", fmt.Sprintf("/spec/initContainers/%d", i), nil))
		}
	}
	return operations
}

// removeVolumes removes the volumes that only removed containers mount.
func (r *Result) removeVolumes() []jsonpatch.Operation {
	spec := &r.template.Spec
	mounted, stays := map[string]bool{}, map[string]bool{}
	names := r.removed()
	addVolumes := func(c *corev1.Container, into map[string]bool) {
		for _, m := range c.VolumeMounts {
			into[m.Name] = true
		}
		for _, d := range c.VolumeDevices {
			into[d.Name] = true
		}
	}
	for i := range spec.InitContainers {
		if slices.Contains(names, spec.InitContainers[i].Name) {
			addVolumes(&spec.InitContainers[i], mounted)
		} else {
			addVolumes(&spec.InitContainers[i], stays)
		}
	}
	for i := range spec.Containers {
		addVolumes(&spec.Containers[i], stays)
	}
	for i := range spec.EphemeralContainers {
		addVolumes((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon), stays)
	}
	var operations []jsonpatch.Operation
	for i := len(spec.Volumes) - 1; i >= 0; i-- {
		if name := spec.Volumes[i].Name; mounted[name] && !stays[name] {
			operations = append(operations, jsonpatch.NewOperation("remove", fmt.Sprintf("/spec/volumes/%d", i), nil))
		}
	}
	if len(operations) > 0 && len(operations) == len(spec.Volumes) {
		return []jsonpatch.Operation{jsonpatch.NewOperation("remove", "/spec/volumes", nil)}
	}
	return operations
}

// stillNamed returns a problem if another field of the pod refers to a container, so that the pod would be invalid
// without it.
func (r *Result) stillNamed(name string) []Problem {
	spec := &r.template.Spec
	for _, c := range spec.EphemeralContainers {
		if c.TargetContainerName == name {
			return []Problem{{0, fmt.Sprintf("ephemeral container %q targets it", c.Name)}}
		}
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, e := range c.Env {
			if c.Name != name && e.ValueFrom != nil && e.ValueFrom.ResourceFieldRef != nil &&
				e.ValueFrom.ResourceFieldRef.ContainerName == name {
				return []Problem{{0,
					fmt.Sprintf("variable %s of container %q refers to its resources", e.Name, c.Name)}}
			}
		}
	}
	for _, v := range spec.Volumes {
		if encoded, err := json.Marshal(v); err == nil && strings.Contains(string(encoded),
			fmt.Sprintf(`"containerName":%q`, name)) {
			return []Problem{{0, fmt.Sprintf("volume %q refers to its resources", v.Name)}}
		}
	}
	return nil
}

// mentions returns warnings about annotations that may still refer to a removed container.
func (r *Result) mentions() []string {
	var warnings []string
	for _, name := range r.removed() {
		word := regexp.MustCompile(`(^|[^\w-])` + regexp.QuoteMeta(name) + `($|[^\w-])`)
		for _, key := range slices.Sorted(maps.Keys(r.template.Annotations)) {
			value := r.template.Annotations[key]
			if !strings.HasPrefix(key, v1alpha1.GroupName+"/") && !r.isObsolete(key) &&
				(word.MatchString(key) || word.MatchString(value)) {
				warnings = append(warnings,
					fmt.Sprintf("annotation %s may still refer to the removed container %q", key, name))
			}
		}
	}
	return warnings
}

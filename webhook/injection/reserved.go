package injection

import (
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	utiljson "sigs.k8s.io/json"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// reserved is a container of the pod that bears the injected container's name.
type reserved struct {
	list  string // the field of the spec: initContainers, containers or ephemeralContainers
	index int
	raw   string
}

// reservedContainers finds every container under the reserved name, wherever it is.
func reservedContainers(p *pod.Pod) []reserved {
	var found []reserved
	for _, l := range []struct {
		list  string
		items []pod.Container
	}{{"initContainers", p.InitContainers}, {"containers", p.Containers}, {"ephemeralContainers", p.EphemeralContainers}} {
		for index, c := range l.items {
			if c.Name == v1alpha1.ContainerName {
				found = append(found, reserved{l.list, index, c.JSON})
			}
		}
	}
	return found
}

// difference names the fields in which a container of the pod is not the one that would be rendered; none when it is. Not
// counted is what the API server adds by itself: defaults, a LimitRange's resources, and the mount of the service account's
// token.
func difference(p *pod.Pod, raw string, rendered corev1.Container) []string {
	var found corev1.Container
	if strict, err := utiljson.UnmarshalStrict([]byte(raw), &found); err != nil || len(strict) > 0 {
		return []string{"a field that is not of a container"}
	}
	if found.TerminationMessagePath == corev1.TerminationMessagePathDefault {
		found.TerminationMessagePath = ""
	}
	if sc := found.SecurityContext; sc != nil && sc.ProcMount != nil && *sc.ProcMount == corev1.DefaultProcMount {
		sc.ProcMount = nil
	}
	if len(found.VolumeMounts) == 1 && p.IsTokenMount(found.VolumeMounts[0]) {
		found.VolumeMounts = nil
	}
	if len(found.Resources.Claims) == 0 {
		found.Resources = rendered.Resources
	}
	if apiequality.Semantic.DeepEqual(found, rendered) {
		return nil
	}
	return differingFields(found, rendered)
}

func differingFields(found, rendered corev1.Container) []string {
	differing := map[string]bool{}
	a, b := fieldsOf(found), fieldsOf(rendered)
	for name, value := range a {
		differing[name] = differing[name] || b[name] != value
	}
	for name, value := range b {
		differing[name] = differing[name] || a[name] != value
	}
	maps.DeleteFunc(differing, func(_ string, differs bool) bool { return !differs })
	return slices.Sorted(maps.Keys(differing))
}

// fieldsOf returns a container's fields by their JSON names, each as JSON.
func fieldsOf(container corev1.Container) map[string]string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(mustMarshal(container), &fields); err != nil {
		panic(err) // it has just been encoded
	}
	texts := map[string]string{}
	for name, value := range fields {
		texts[name] = string(value)
	}
	return texts
}

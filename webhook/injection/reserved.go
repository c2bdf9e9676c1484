package injection

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	utiljson "sigs.k8s.io/json"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// reserved is a container of the pod that bears the injected container's name.
type reserved struct {
	list  string // the field of the spec: initContainers, containers or ephemeralContainers
	index int
	raw   string
}

// reservedContainers finds every container under the reserved name: the init containers first, then those elsewhere.
func reservedContainers(p *pod.Pod) (inits, elsewhere []reserved) {
	find := func(list string, containers []pod.Container) (found []reserved) {
		for index := range containers {
			if containers[index].Name == v1alpha1.ContainerName {
				found = append(found, reserved{list, index, containers[index].JSON})
			}
		}
		return found
	}
	return find("initContainers", p.InitContainers),
		append(find("containers", p.Containers), find("ephemeralContainers", p.EphemeralContainers)...)
}

// rejectReserved rejects containers that may not have the reserved name.
func rejectReserved(found []reserved, target Target) []policy.Violation {
	var violations []policy.Violation
	for _, r := range found[:min(len(found), maxViolations)] {
		violations = append(violations, reservedName(r, target))
	}
	return violations
}

// enforced is how a pod's init containers come to begin with the one that belongs there.
type enforced struct {
	operations []jsonpatch.Operation
	present    bool   // the pod has exactly that container, in front or behind others
	replaced   string // says what the pod had instead; "" if it had nothing under the name, or exactly that
}

// enforce puts the container that belongs in a pod in front, in place of all that the pod has under its name.
func enforce(p *pod.Pod, container *form.Container, args []string, found []reserved) enforced {
	if len(found) == 0 {
		if p.HasInitContainers {
			return enforced{operations: []jsonpatch.Operation{jsonpatch.NewOperation("add", first,
				container.Encode(p, args))}}
		}
		return enforced{operations: []jsonpatch.Operation{
			jsonpatch.NewOperation("add", "/spec/initContainers",
				slices.Concat(rawJSON("["), container.Encode(p, args), rawJSON("]"))),
		}}
	}
	current, readable := readContainer(found[0].raw)
	wanted := container.Enforce(p, args, current)
	differing := differingFields(current, wanted)
	if !readable {
		differing = append(differing, "a field that is not of a container")
	}
	if len(found) == 1 && len(differing) == 0 {
		if found[0].index == 0 {
			return enforced{present: true}
		}
		// Another webhook has put its own init container in front. Ours goes back to where its settings hold for that
		// one too.
		return enforced{present: true, operations: move(found, rawJSON(found[0].raw))}
	}
	change := enforced{replaced: replacedWarning(current, wanted, differing, len(found))}
	if len(found) == 1 && found[0].index == 0 {
		change.operations = []jsonpatch.Operation{jsonpatch.NewOperation("replace", first, form.JSON(wanted))}
	} else {
		change.operations = move(found, form.JSON(wanted))
	}
	return change
}

// remove takes away what a pod has under the name, where it needs no container.
func remove(found []reserved) enforced {
	if len(found) == 0 {
		return enforced{}
	}
	return enforced{
		operations: removeAll(found),
		replaced: fmt.Sprintf("init container %q was removed: spec.securityContext.sysctls sets all that it would "+
			"set", v1alpha1.ContainerName),
	}
}

// first is the path of the first init container.
const first = "/spec/initContainers/0"

// move puts a container in front, and removes those that were found.
func move(found []reserved, container rawJSON) []jsonpatch.Operation {
	return append(removeAll(found), jsonpatch.NewOperation("add", first, container))
}

// removeAll removes init containers, the last one first, so that the indices of the others stay.
func removeAll(found []reserved) []jsonpatch.Operation {
	ops := make([]jsonpatch.Operation, 0, len(found)+1)
	for _, r := range slices.Backward(found) {
		ops = append(ops, jsonpatch.NewOperation("remove", "/spec/initContainers/"+strconv.Itoa(r.index), nil))
	}
	return ops
}

// readContainer decodes a container; false if it has fields that no container has, fields of a wrong type, or quantities
// that no node has.
func readContainer(raw string) (container corev1.Container, ok bool) {
	if pod.HasHugeExponent(raw) {
		return container, false
	}
	strict, err := utiljson.UnmarshalStrict([]byte(raw), &container)
	return container, err == nil && len(strict) == 0
}

// differingFields names the fields in which two containers differ, in order.
func differingFields(found, wanted corev1.Container) []string {
	if apiequality.Semantic.DeepEqual(found, wanted) {
		return nil
	}
	differing := map[string]bool{}
	a, b := fieldsOf(found), fieldsOf(wanted)
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
	var fields map[string]rawJSON
	if err := utiljson.UnmarshalCaseSensitivePreserveInts(mustMarshal(container), &fields); err != nil {
		panic(err) // it has just been encoded
	}
	texts := map[string]string{}
	for name, value := range fields {
		texts[name] = string(value)
	}
	return texts
}

// maxImage bounds what a warning shows of an image.
const maxImage = 300

// replacedWarning says what was replaced. Where the image differs, both images are what a person needs to find the
// cause: a mirror that rewrites images, or a manifest of another release.
func replacedWarning(found, wanted corev1.Container, differing []string, count int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "init container %q was replaced by the one that belongs there", v1alpha1.ContainerName)
	if len(differing) > 0 {
		b.WriteString("; it differed in " + strings.Join(differing, ", "))
	}
	if slices.Contains(differing, "image") {
		fmt.Fprintf(&b, "; its image was %q, and is %q", found.Image[:min(len(found.Image), maxImage)], wanted.Image)
	}
	if count > 1 {
		fmt.Fprintf(&b, "; %d init containers had the name", count)
	}
	return b.String()
}

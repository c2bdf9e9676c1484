// Package convert finds containers that set sysctls by hand and says which lines of the annotation do the same.
//
// It goes by what the commands do: a script is run without a kernel, on every way that it may take, by the rules of
// the shell and of the sysctl commands of busybox and procps. A container is converted only if everything in it is
// understood. Anything else stays as it is, and the report says why. It is pure: it reads no file and calls no
// server.
package convert

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Lists of containers in a pod.
const (
	InitContainers      = "initContainers"
	Containers          = "containers"
	EphemeralContainers = "ephemeralContainers"
)

// Finding is one container that sets sysctls, or may.
type Finding struct {
	// List and Index say where the container is in the pod's spec.
	List  string
	Index int
	Name  string
	// Script leads from the container to its script, as in command and 2; nil if it runs one command without a shell.
	Script []string
	// Assignments are what the container sets, in order, as far as that is understood.
	Assignments []Assignment
	// NodeLevel is set if the container sets something that belongs to the node.
	NodeLevel bool
	// Notes say what each line does.
	Notes []Note
	// Problems are why the container stays. There are none if it is converted.
	Problems []Problem
}

// Converts reports whether the annotation takes the place of the container.
func (f Finding) Converts() bool { return len(f.Problems) == 0 }

// Note says what one line of a script does.
type Note struct {
	// Line is counted from 1; 0 if there is no script.
	Line int
	Text string
}

// Result is what was found in a pod template.
type Result struct {
	Findings []Finding
	// Assignments are the lines that all converted containers add to the annotation.
	Assignments []Assignment
	// Native are lines of converted containers that become native sysctls instead.
	Native []Assignment
	// Warnings are about what still names a removed container.
	Warnings []string

	template corev1.PodTemplateSpec
	raw      rawTemplate
	moved    []int // native sysctls that become lines
}

// Changes reports whether anything is to be converted.
func (r *Result) Changes() bool { return slices.ContainsFunc(r.Findings, Finding.Converts) }

// Inspect looks at every container of a pod template, in JSON.
func Inspect(template []byte, kernel Kernel) (*Result, error) {
	result := &Result{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(template, &result.template); err != nil {
		return nil, fmt.Errorf("read the pod template: %w", err)
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(template, &result.raw); err != nil {
		return nil, fmt.Errorf("read the pod template: %w", err)
	}
	result.inspect(kernel)
	return result, nil
}

func (r *Result) inspect(kernel Kernel) {
	spec := &r.template.Spec
	merged := newMerge(&r.template)
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		if c.Name == v1alpha1.ContainerName {
			continue
		}
		found := inspectContainer(&r.template, c, kernel)
		if found == nil {
			merged.pass(c)
			continue
		}
		found.List, found.Index = InitContainers, i
		if found.Converts() {
			found.Problems = append(found.Problems, r.stillNamed(c.Name)...)
		}
		if found.Converts() {
			found.Problems = append(found.Problems, merged.add(settingOf(&r.template, c, kernel), found)...)
		}
		if !found.Converts() {
			merged.pass(c)
		}
		r.Findings = append(r.Findings, *found)
	}
	others := func(list string, i int, c *corev1.Container) {
		if found := inspectContainer(&r.template, c, kernel); found != nil {
			found.List, found.Index = list, i
			found.Problems = append(found.Problems, Problem{0, adviceForLong(found)})
			r.Findings = append(r.Findings, *found)
		}
	}
	for i := range spec.Containers {
		others(Containers, i, &spec.Containers[i])
	}
	for i := range spec.EphemeralContainers {
		others(EphemeralContainers, i, (*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon))
	}
	r.Assignments = merged.assignments
	r.Warnings = append(r.mentions(), r.changeOfClass()...)
}

// adviceForLong is for a container that goes on running: only a person can tell what else it is for.
func adviceForLong(f *Finding) string {
	if len(f.Assignments) == 0 {
		return "it is no init container, so it is not changed"
	}
	return "it is no init container, so it is not changed. By hand: add the lines to the annotation, take the commands out of the container, and its " +
		"privilege if nothing else needs it"
}

// Package convert finds containers that set sysctls by hand, and the annotation lines that do the same.
//
// It simulates the commands of a container: it runs a script without a kernel, on every path through it, by the rules
// of the shell and of the sysctl commands of busybox and procps. It converts a container only if it understands
// everything in it. It does not change other containers, and reports why. The package is pure: it reads no file and
// calls no server.
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

// Finding is one container that sets sysctls or may set them.
type Finding struct {
	// List and Index are the container's list in the pod's spec, and its index there.
	List  string
	Index int
	Name  string
	// Script is the path from the container to its script, such as command and 2. It is nil if the container runs one
	// command without a shell.
	Script []string
	// Assignments are the sysctls that the container sets, in order, as far as its command is understood.
	Assignments []Assignment
	// NodeLevel is set if the container sets a sysctl of the node.
	NodeLevel bool
	// Notes describe the effect of each line.
	Notes []Note
	// Problems are the reasons why the container is not converted. There are none if it is.
	Problems []Problem
}

// Converts reports whether the annotation replaces the container.
func (f Finding) Converts() bool { return len(f.Problems) == 0 }

// Note describes the effect of one line of a script.
type Note struct {
	// Line is counted from 1. It is 0 if there is no script.
	Line int
	Text string
}

// Result has the findings in a pod template.
type Result struct {
	Findings []Finding
	// Assignments are the lines that all converted containers add to the annotation.
	Assignments []Assignment
	// Native are lines of converted containers that become native sysctls instead.
	Native []Assignment
	// Warnings are about annotations that refer to a removed container, and about a change of the QoS class.
	Warnings []string

	template corev1.PodTemplateSpec
	raw      rawTemplate
	moved    []int // indices of native sysctls that become lines
}

// Changes reports whether the conversion changes the template.
func (r *Result) Changes() bool { return slices.ContainsFunc(r.Findings, Finding.Converts) }

// Inspect inspects every container of a pod template in JSON.
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
			merged.pass(&r.template, c, kernel)
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
			merged.pass(&r.template, c, kernel)
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

// adviceForLong returns the advice for a container that keeps running: only a person knows its other purposes.
func adviceForLong(f *Finding) string {
	const problem = "it is not an init container, so it is not changed"
	if len(f.Assignments) == 0 {
		return problem
	}
	return problem + ". By hand: add the lines to the annotation, and remove the commands from the container, " +
		"and its privilege if nothing else needs it"
}

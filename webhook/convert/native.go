package convert

import (
	"fmt"
	"iter"
	"slices"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// NativeSysctls is the List of a Finding for a sysctl that the kubelet sets, and not a container.
const NativeSysctls = "securityContext.sysctls"

// FindNative adds findings for the native sysctls that kubelets reject unless a flag allows them. It does not move
// them.
func (r *Result) FindNative(kernel Kernel, isAllowed func(name string) bool) {
	for i, a := range r.unsafe(isAllowed) {
		found := Finding{List: NativeSysctls, Index: i, Name: a.Name, Assignments: []Assignment{a}}
		if _, problem := r.whyNative(kernel, a); problem != "" {
			found.problem("%s reject it unless --allowed-unsafe-sysctls includes it, "+
				"and it cannot move to the annotation: %s", kubeletsThatReject(a.Name), problem)
		} else {
			found.problem("%s reject it unless --allowed-unsafe-sysctls includes it; "+
				"with --native, it becomes a line of the annotation", kubeletsThatReject(a.Name))
		}
		r.Findings = append(r.Findings, found)
	}
}

// MoveNative moves the native sysctls that kubelets reject unless a flag allows them to the annotation. It moves lines
// with names that are safe on every kubelet, as isSafe reports, to the native sysctls. Native sysctls are set before
// any container runs, so their lines come first.
func (r *Result) MoveNative(kernel Kernel, isAllowed, isSafe func(name string) bool) {
	r.becomeNative(isSafe)
	var lines []Assignment
	for i, a := range r.unsafe(isAllowed) {
		found := Finding{List: NativeSysctls, Index: i, Name: a.Name, Assignments: []Assignment{a}}
		isSet, problem := r.whyNative(kernel, a)
		if problem != "" {
			found.problem("%s", problem)
		} else {
			r.moved = append(r.moved, i)
			if !isSet {
				lines = append(lines, a)
			}
		}
		r.Findings = append(r.Findings, found)
	}
	r.Assignments = slices.Concat(lines, r.Assignments)
}

// kubeletsThatReject names the kubelets that reject a native sysctl which not all of them allow.
func kubeletsThatReject(name string) string {
	if since := sysctl.Lookup(name).SafeSince; since != "" {
		return "kubelets before Kubernetes " + since
	}
	return "kubelets"
}

func (r *Result) native() []corev1.Sysctl {
	if sc := r.template.Spec.SecurityContext; sc != nil {
		return sc.Sysctls
	}
	return nil
}

// unsafe yields the native sysctls that are not allowed, with their indices.
func (r *Result) unsafe(isAllowed func(name string) bool) iter.Seq2[int, Assignment] {
	return func(yield func(int, Assignment) bool) {
		for i, one := range r.native() {
			name, err := sysctl.ParseName(one.Name)
			if err == nil && !isAllowed(name) && !yield(i, Assignment{Name: name, Value: fold(one.Value)}) {
				return
			}
		}
	}
}

// whyNative returns the problem that prevents a native sysctl from moving to the annotation. isSet is set if the
// annotation, or a converted container, sets it after that anyway.
func (r *Result) whyNative(kernel Kernel, a Assignment) (isSet bool, problem string) {
	s := &setting{kernel: kernel, hostNetwork: r.template.Spec.HostNetwork, hostIPC: r.template.Spec.HostIPC}
	merged := newMerge(&r.template)
	if merged.rejected != "" {
		return false, merged.rejected
	}
	if s.fateOf(a.Name) != fateTakes {
		return false, "a pod cannot set " + a.Name
	}
	for _, e := range merged.existing {
		if e.Name == a.Name && (e.Value != a.Value || e.AtLeast || e.Optional) {
			return false, fmt.Sprintf("the annotation has %q: keep one of them", e)
		}
		isSet = isSet || e.Name == a.Name
	}
	for _, later := range r.Assignments {
		if later.Name != a.Name {
			continue
		}
		if isRelated(a.Name) || later.AtLeast || later.Optional ||
			!s.takesEverywhere(a.Name, a.Value) || !s.takesEverywhere(a.Name, later.Value) {
			return false, fmt.Sprintf("a container sets %q after it: keep one of them", later)
		}
		isSet = true
	}
	return isSet, ""
}

// becomeNative moves lines that every kubelet allows to the native sysctls. Lines whose order matters stay.
func (r *Result) becomeNative(isSafe func(name string) bool) {
	isNative := func(name string) bool {
		return slices.ContainsFunc(r.native(), func(n corev1.Sysctl) bool { return sysctl.Dotted(n.Name) == name })
	}
	r.Assignments = slices.DeleteFunc(r.Assignments, func(a Assignment) bool {
		if a.AtLeast || a.Optional || !isSafe(a.Name) || isRelated(a.Name) || isNative(a.Name) {
			return false
		}
		r.Native = append(r.Native, a)
		return true
	})
}

// changeNative returns the operations on the list of native sysctls.
func (r *Result) changeNative() []jsonpatch.Operation {
	const list = "/spec/securityContext/sysctls"
	var operations []jsonpatch.Operation
	before, left := 0, len(r.Native)
	if sc := r.template.Spec.SecurityContext; sc != nil {
		before, left = len(sc.Sysctls), left+len(sc.Sysctls)-len(r.moved)
	}
	switch {
	case len(r.moved) > 0 && left == 0 && len(r.raw.Spec.SecurityContext) == 1:
		return []jsonpatch.Operation{jsonpatch.NewOperation("remove", "/spec/securityContext", nil)}
	case len(r.moved) > 0 && left == 0:
		return []jsonpatch.Operation{jsonpatch.NewOperation("remove", list, nil)}
	}
	added := make([]corev1.Sysctl, len(r.Native))
	for i, a := range r.Native {
		added[i] = corev1.Sysctl{Name: a.Name, Value: a.Value}
	}
	switch {
	case len(added) == 0:
	case len(r.raw.Spec.SecurityContext) == 0:
		operations = append(operations, jsonpatch.NewOperation("add", "/spec/securityContext",
			map[string]any{"sysctls": added}))
	case before == 0:
		operations = append(operations, jsonpatch.NewOperation("add", list, added))
	default:
		for _, one := range added {
			operations = append(operations, jsonpatch.NewOperation("add", list+"/-", one))
		}
	}
	for _, i := range slices.Backward(r.moved) {
		operations = append(operations, jsonpatch.NewOperation("remove", fmt.Sprintf("%s/%d", list, i), nil))
	}
	return operations
}

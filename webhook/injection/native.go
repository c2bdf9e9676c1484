package injection

import (
	"fmt"
	"slices"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// addNative returns the operations that have Kubernetes set sysctls. Entries that the pod has already stay where they
// are.
func addNative(p *pod.Pod, settings []policy.Setting) []jsonpatch.Operation {
	var entries []rawJSON
	for _, setting := range settings {
		if !hasNative(p, setting.Name) {
			entry := jsontext.AppendString(rawJSON(`{"name":`), setting.Name)
			entry = jsontext.AppendString(append(entry, `,"value":`...), setting.Value)
			entries = append(entries, append(entry, '}'))
		}
	}
	if len(entries) == 0 {
		return nil
	}
	const securityContext, sysctls = "/spec/securityContext", "/spec/securityContext/sysctls"
	if p.HasNativeSysctls {
		ops := make([]jsonpatch.Operation, len(entries))
		for n, entry := range entries {
			ops[n] = jsonpatch.NewOperation("add", sysctls+"/-", entry)
		}
		return ops
	}
	list := rawJSON("[")
	for n, entry := range entries {
		if n > 0 {
			list = append(list, ',')
		}
		list = append(list, entry...)
	}
	list = append(list, ']')
	if p.HasSecurityContext {
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", sysctls, list)}
	}
	return []jsonpatch.Operation{jsonpatch.NewOperation("add", securityContext,
		slices.Concat(rawJSON(`{"sysctls":`), list, rawJSON("}")))}
}

func hasNative(p *pod.Pod, name string) bool {
	return slices.ContainsFunc(p.NativeSysctls, func(s pod.Sysctl) bool {
		dotted, err := sysctl.ParseName(s.Name)
		return err == nil && dotted == name
	})
}

// nativeConflicts rejects a sysctl that the pod sets to another value in securityContext.sysctls: one of the two
// would be lost without a word. A value that is only raised is no conflict: the container runs later.
func nativeConflicts(p *pod.Pod, settings []policy.Setting) []policy.Violation {
	var violations []policy.Violation
	for _, native := range p.NativeSysctls {
		name, err := sysctl.ParseName(native.Name)
		if err != nil {
			continue // the API server rejects it
		}
		for _, setting := range settings {
			if len(violations) < maxViolations && setting.Name == name && setting.Operator == sysctl.Equal &&
				setting.Value != strings.Join(strings.Fields(native.Value), " ") {
				violations = append(violations, policy.Violation{Reason: ReasonNativeConflict,
					Err: field.Invalid(setting.Path, setting.String(),
						fmt.Sprintf("spec.securityContext.sysctls sets %s to %q; remove one of the two", name,
							native.Value))})
			}
		}
	}
	return violations
}

// NativeSysctls returns the names in securityContext.sysctls, in dot form.
func NativeSysctls(p *pod.Pod) []string {
	var names []string
	for _, native := range p.NativeSysctls {
		if name, err := sysctl.ParseName(native.Name); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// RejectedByKubelets returns the names in securityContext.sysctls that KubeletsAllow does not report.
func (i *Injector) RejectedByKubelets(p *pod.Pod) []string {
	return slices.DeleteFunc(NativeSysctls(p), i.KubeletsAllow)
}

// KubeletsAllow reports whether a native sysctl is safe on every kubelet that the API servers admit, or declared
// allowed on all kubelets. While the version of the API servers is unknown, any release may have made it safe.
func (i *Injector) KubeletsAllow(name string) bool {
	isDeclared := func(pattern sysctl.Pattern) bool { return pattern.Matches(name) }
	minor := i.kubernetes()
	return form.IsSafe(minor, name) || minor == 0 && sysctl.Lookup(name).SafeSince != "" ||
		slices.ContainsFunc(i.kubeletSysctls, isDeclared)
}

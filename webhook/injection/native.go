package injection

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// nativeConflicts rejects a sysctl that the pod sets to another value in securityContext.sysctls: one of the two would be
// lost without a word.
func nativeConflicts(p *pod.Pod, settings []policy.Setting) []policy.Violation {
	var violations []policy.Violation
	for _, native := range p.NativeSysctls {
		name, err := sysctl.ParseName(native.Name)
		if err != nil {
			continue // the API server rejects it
		}
		for _, setting := range settings {
			if len(violations) < maxViolations && setting.Name == name && setting.Value != strings.Join(strings.Fields(native.Value), " ") {
				violations = append(violations, policy.Violation{Reason: ReasonNativeConflict, Err: field.Invalid(setting.Path, setting.String(),
					fmt.Sprintf("spec.securityContext.sysctls sets %s to %q; remove one of the two", name, native.Value))})
			}
		}
	}
	return violations
}

// notPlain rejects what `sysctl -w` cannot apply, as long as no form runs a script that can.
func notPlain(settings []policy.Setting) []policy.Violation {
	var violations []policy.Violation
	for _, setting := range settings {
		if !setting.IsPlain() {
			violations = append(violations, policy.Violation{Reason: ReasonNotPlain, Err: field.Forbidden(setting.Path,
				fmt.Sprintf(`line %d: %q cannot be applied yet: write "name = value"`, setting.Line, setting.Assignment))})
		}
	}
	return violations
}

// UnsafeNativeSysctls returns the sysctls of securityContext.sysctls that Kubernetes counts unsafe, in dot form.
func UnsafeNativeSysctls(p *pod.Pod) []string {
	var names []string
	for _, native := range p.NativeSysctls {
		if name, err := sysctl.ParseName(native.Name); err == nil && sysctl.Lookup(name).SafeSince == "" {
			names = append(names, name)
		}
	}
	return names
}

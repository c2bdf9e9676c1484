package policy

import "github.com/sysctl-injector/sysctl-injector/webhook/sysctl"

// ReasonInvalidValue is the reason of a violation found by invalidValue.
const ReasonInvalidValue = "InvalidValue"

// invalidValue rejects a value that no supported kernel takes. A value that only some take leads to a warning. A
// guest may be something else than Linux, so this is for shared kernels.
func invalidValue(facts Facts, wanted sysctl.Assignment) (reason, message string) {
	parameter := sysctl.FindParameter(wanted.Name)
	if parameter == nil || !shared(facts) {
		return "", ""
	}
	if message, _ = parameter.Check(wanted); message == "" {
		return "", ""
	}
	return ReasonInvalidValue, message
}

package injection

import (
	"fmt"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Outcome is the decision on one pod.
type Outcome struct {
	// Reason is short and stable: of the first violation, or otherwise what was done.
	Reason     string
	Violations []policy.Violation
	// Remedy says how the pod opts out of what it did not ask for itself; "" if there is nothing of that.
	Remedy string

	Operations []jsonpatch.Operation
	Warnings   []string
	Sysctls    []Sysctl
	// Trial says which policies on trial would have the pod rejected; nil if none.
	Trial *policy.Trial
	// Grant is what the pod's service account needs before the pod may be admitted; nil if it needs nothing.
	Grant *policy.Grant
}

// Sysctl is one of a pod's sysctls, and the name of the form that sets it.
type Sysctl struct {
	sysctl.Assignment
	Form string
}

// IsDenied reports whether the pod may not be admitted.
func (o Outcome) IsDenied() bool { return len(o.Violations) > 0 }

// maxViolations bounds what is said about a pod: it could be made of nothing but mistakes.
const maxViolations = 20

// Message tells a person why the pod is denied: every reason, and what to do about it. A pod with very many mistakes
// gets the first.
func (o Outcome) Message() string {
	if len(o.Violations) == 1 {
		message := o.Violations[0].Reason + ": " + o.Violations[0].Err.Error()
		if o.Remedy != "" {
			message += ". " + o.Remedy
		}
		return message
	}
	lines := make([]string, 0, 2+len(o.Violations))
	lines = append(lines, fmt.Sprintf("%d problems:", len(o.Violations)))
	for _, r := range o.Violations {
		lines = append(lines, "- "+r.Reason+": "+r.Err.Error())
	}
	if o.Remedy != "" {
		lines = append(lines, o.Remedy)
	}
	return strings.Join(lines, "\n")
}

// Denied is the outcome of a decision that is taken elsewhere.
func Denied(reason string, err *field.Error) Outcome {
	return denied(policy.Violation{Reason: reason, Err: err})
}

func denied(violations ...policy.Violation) Outcome {
	return Outcome{Reason: violations[0].Reason, Violations: violations}
}

func invalidAnnotations(errs field.ErrorList) []policy.Violation {
	violations := make([]policy.Violation, len(errs))
	for n, err := range errs {
		violations[n] = policy.Violation{Reason: policy.ReasonInvalidAnnotation, Err: err}
	}
	return violations
}

// Package policy decides which sysctls a pod may set: the rules that hold whatever an administrator says, and then
// the administrator's own SysctlPolicies. It is pure: it reads no cluster and keeps no state.
package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Facts are what the rules need to know of a pod and of where it runs.
type Facts struct {
	Namespace       string
	NamespaceLabels map[string]string
	ServiceAccount  string // never empty: "default" where the pod names none

	HostNetwork   bool
	HostIPC       bool
	UserNamespace bool   // hostUsers: false
	Windows       string // the field that keeps the pod on Windows nodes; "" if none does
	SELinuxType   string // of the pod; "" for the runtime's own
	Mirror        bool   // a static pod's mirror, written by a kubelet

	Kernel       v1alpha1.Kernel
	RuntimeClass string // its name; "" where the pod names none
	Handler      string // of that RuntimeClass; "" where the class is not known
}

// Setting is a sysctl that a pod asks for, and where it does.
type Setting struct {
	sysctl.Assignment
	Path    *field.Path // of the annotation
	Profile string      // the SysctlProfile it comes from; "" for the pod's own annotation
	Default bool        // the profile applies by its selectors, and the pod does not name it
	Over    []Source    // which sources gave the sysctl a value that this one replaces, the nearest first
}

// Source is where a setting comes from.
type Source struct {
	Profile string // "" for the pod's own annotation
	Default bool
}

// Source returns where the setting comes from.
func (s Setting) Source() Source { return Source{s.Profile, s.Default} }

// String names a source as the status annotation does.
func (s Source) String() string {
	switch {
	case s.Profile == "":
		return "pod"
	case s.Default:
		return "default " + s.Profile
	}
	return "profile " + s.Profile
}

// where names the line that a person has to look at.
func (s Setting) where() string {
	if s.Default {
		return fmt.Sprintf("default profile %q, line %d", s.Profile, s.Line)
	}
	if s.Profile != "" {
		return fmt.Sprintf("profile %q, line %d", s.Profile, s.Line)
	}
	return fmt.Sprintf("line %d", s.Line)
}

func (s Setting) forbidden(format string, args ...any) *field.Error {
	return field.Forbidden(s.Path, s.where()+": "+s.Name+" "+fmt.Sprintf(format, args...))
}

// Violation is one reason why a pod may not have what it asks for.
type Violation struct {
	// Reason is a short, stable word in CamelCase, for metrics and tests.
	Reason string
	// Err says to a person where the mistake is and what to do about it.
	Err *field.Error
}

// Reasons that do not belong to one rule.
const (
	ReasonInvalidAnnotation = "InvalidAnnotation"
	ReasonNoPolicy          = "NoPolicy"
	ReasonNotAllowed        = "NotAllowedByPolicy"
)

// Grant is what a pod's service account has to be granted.
type Grant struct {
	Namespace      string
	ServiceAccount string
	// Sysctls are set by the injected container, and so are what the guard asks for.
	Sysctls []string
	// NativeSysctls are those in the pod's own securityContext.sysctls. Only a PodSecurityPolicy asks for them.
	NativeSysctls []string
	// UserNamespace reports whether the injected container is one without privilege, in the pod's own user namespace.
	// Only OpenShift asks: it admits that container by other constraints than a privileged one.
	UserNamespace bool
}

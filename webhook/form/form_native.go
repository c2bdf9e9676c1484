package form

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// KubeletSkew is how many minor versions a kubelet may be older than the API server
// (kubernetes.io/releases/version-skew-policy).
const KubeletSkew = 3

// Native is the name of the form that needs no init container.
const Native = "native"

// native has Kubernetes set a sysctl, by spec.securityContext.sysctls. The runtime writes it before any container
// starts, so nothing is added that runs. It is for names that every kubelet of the cluster allows, or else pods would
// end in SysctlForbidden.
//
//	name                                              in a namespace held to a Pod Security Standard
//	safe in the version of the oldest kubelet         if it is safe in the standard's version too
//	declared allowed on all kubelets                  if a guard holds it, which knows what the webhook wrote
//
// In a guest kernel the privileged container stays: what a runtime there makes of the field depends on the runtime.
var native = &Form{
	Name: Native,
	takes: func(pod Pod, wanted sysctl.Assignment) bool {
		if !pod.NativeFirst || pod.Kernel == v1alpha1.GuestKernel || wanted.Scope() == sysctl.Node ||
			!wanted.IsPlain() || !nativeName.MatchString(wanted.Name) {
			return false
		}
		return pod.isSafe(wanted.Name) || pod.mayDeclare() && pod.isDeclared(wanted.Name)
	},
	Rules:    inUserNamespace,
	podRules: []podRule{windows, mirrorPod},
	noGrant:  "Kubernetes sets them by spec.securityContext.sysctls",
}

// nativeName is what the API server takes as a name there, which is less than the kernel has: no capitals, for one
// (k8s.io/kubernetes pkg/apis/core/validation, SysctlContainSlashFmt). It takes the slash of an interface's name too,
// but runc does not turn it back into a dot (runc internal/sys, WriteSysctls).
var nativeName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// IsSafe reports whether a name is safe for every kubelet that API servers of a version admit.
func IsSafe(minor uint, name string) bool {
	return minor >= KubeletSkew && isSafeIn(minor-KubeletSkew, name)
}

// isSafeIn reports whether a name is safe in a version of Kubernetes: for its kubelets, and for Pod Security at
// baseline.
func isSafeIn(minor uint, name string) bool {
	since := sysctl.Lookup(name).SafeSince
	return since != "" && version.MajorMinor(1, minor).AtLeast(version.MustParseGeneric(since))
}

// isSafe reports whether every kubelet allows a name, and Pod Security admission too.
func (p Pod) isSafe(name string) bool {
	return IsSafe(p.Kubernetes, name) && (!p.isRejected(psaapi.LevelPrivileged) || isSafeIn(p.podSecurityMinor(), name))
}

func (p Pod) isDeclared(name string) bool {
	return slices.ContainsFunc(p.KubeletSysctls, func(pattern sysctl.Pattern) bool { return pattern.Matches(name) })
}

// mayDeclare reports whether an unsafe name may be set natively. Pod Security admission rejects it at baseline. The
// guard makes an exception for pods whose own annotation asked the webhook for it.
func (p Pod) mayDeclare() bool {
	return p.Asks && !p.isRejected(psaapi.LevelPrivileged)
}

// ParseKubeletSysctl reads a pattern as the kubelet's --allowed-unsafe-sysctls takes it, which has fewer than a
// SysctlPolicy.
func ParseKubeletSysctl(text string) (sysctl.Pattern, error) {
	pattern, err := sysctl.ParsePattern(text)
	if err == nil && strings.Contains(strings.TrimSuffix(text, "*"), "*") {
		err = errors.New(`a kubelet takes a "*" at the end of a pattern only, as in net.ipv4.*`)
	}
	return pattern, err
}

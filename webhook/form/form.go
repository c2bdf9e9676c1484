// Package form decides how each sysctl of a pod is set. The forms are rows of one table, a file each: for which
// sysctls, what it cannot do, and its init container. The guard is generated from the same rows.
package form

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// table lists the forms. Each sysctl of a pod gets the first form that takes it:
//
//	form             takes                                                   by
//	verify           every sysctl of a pod with mode: verify                 an init container that only reads
//	native           what every kubelet allows, with strategy native-first   spec.securityContext.sysctls
//	user-namespace   every sysctl of a pod with hostUsers: false             an unprivileged init container
//	guest            every sysctl of a pod with its own kernel               a privileged init container, in the guest
//	privileged       every other                                             a privileged init container
//
// A form with an init container decides by the pod alone, so a pod gets at most one container.
var table = []*Form{verify, native, userNamespace, guest, privileged}

// Form is one way to set sysctls.
type Form struct {
	Name  string
	takes func(Pod, sysctl.Assignment) bool
	// takesCEL is takes for the policies that inject without the server, in the variables of templates/mutating. The
	// last row takes what no other does. A row without it is for the server only.
	takesCEL string
	// mark is CEL, in the variables of templates/guard: whether the first init container claims to be one of the
	// form's. The guard then compares all of it. The last row has what no mark is for.
	mark string
	// Rules reject a sysctl that the form cannot set, besides the rules of package policy.
	Rules    []policy.Rule
	podRules []podRule
	// templates are the form's init containers. A pod gets the first that is fit for all its sysctls. None: the form
	// needs no container.
	templates []*template
	// noGrant says why sysctls of the form need no grant; "" if they need one.
	noGrant string
	// OnlyReads reports whether the container sets nothing.
	OnlyReads bool
	// Privileged reports whether the container is.
	Privileged bool
	// UserNamespace reports whether the container is root of the pod's own user namespace, without privilege.
	UserNamespace bool
	// Warn says what a person should know of a sysctl that the container sets; nil or "" for nothing.
	Warn func(sysctl.Entry) string
}

// Pod is what decides on the form of a pod's sysctls.
type Pod struct {
	policy.Facts
	// Asks reports whether the pod's own annotations ask for sysctls.
	Asks bool
	// Verify is the mode: sysctls are compared, and not set.
	Verify bool
	// NativeFirst is the strategy: what Kubernetes can set by itself needs no container.
	NativeFirst bool
	// Kubernetes is the minor version of the cluster's API servers: 37 for Kubernetes 1.37.
	Kubernetes uint
	// KubeletSysctls are allowed on all kubelets (--allowed-unsafe-sysctls), as an administrator declares.
	KubeletSysctls []sysctl.Pattern
}

// podRule rejects every sysctl of a pod in which a form cannot work.
type podRule struct {
	reason  string
	applies func(policy.Facts) bool
	message func(policy.Facts) string
}

// For returns the form that sets a sysctl in a pod.
func For(pod Pod, wanted sysctl.Assignment) *Form {
	return table[slices.IndexFunc(table, func(f *Form) bool { return f.takes(pod, wanted) })]
}

// Named returns the form of a name.
func Named(name string) *Form {
	return table[slices.IndexFunc(table, func(f *Form) bool { return f.Name == name })]
}

// WhyNoGrant says why sysctls of a form, by its name, need no grant: a clause, for a message. It returns "" if they
// need one.
func WhyNoGrant(name string) string { return Named(name).noGrant }

// Names returns the names of the forms, in the order of the table.
func Names() []string {
	names := make([]string, len(table))
	for i, f := range table {
		names[i] = f.Name
	}
	return names
}

// Strategy is how sysctls are set where there is a choice.
type Strategy string

// The strategies.
const (
	// InitContainer sets all by the init container.
	InitContainer Strategy = "init-container"
	// NativeFirst sets by spec.securityContext.sysctls what every kubelet allows there, and the others by the init
	// container.
	NativeFirst Strategy = "native-first"
)

// Strategies returns the names of the strategies, the default first.
func Strategies() []string { return []string{string(InitContainer), string(NativeFirst)} }

// ParseStrategy reads a strategy's name.
func ParseStrategy(text string) (Strategy, error) {
	if !slices.Contains(Strategies(), text) {
		return "", fmt.Errorf("%q is not one of %s", text, strings.Join(Strategies(), ", "))
	}
	return Strategy(text), nil
}

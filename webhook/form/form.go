// Package form decides how each sysctl of a pod is set. The forms are rows of one table, a file each: for which sysctls, what it
// cannot do, and its init container. The guard is generated from the same rows.
package form

import (
	"slices"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// table lists the forms. Each sysctl of a pod gets the first form that takes it:
//
//	form             takes                                      by
//	user-namespace   every sysctl of a pod with hostUsers: false   an unprivileged init container
//	guest            every sysctl of a pod with its own kernel     a privileged init container, in the guest
//	privileged       every other                                   a privileged init container
//
// A form with an init container decides by the pod alone, so a pod gets at most one container.
var table = []*Form{userNamespace, guest, privileged}

// Form is one way to set sysctls.
type Form struct {
	Name  string
	takes func(Pod, sysctl.Assignment) bool
	// Rules reject a sysctl that the form cannot set, besides the rules of package policy.
	Rules    []policy.Rule
	podRules []podRule
	// templates are the form's init containers. A pod gets the first that is fit for all its sysctls.
	templates []*template
}

// Pod is what decides on the form of a pod's sysctls.
type Pod struct {
	policy.Facts
	// Kubernetes is the minor version of the cluster's API servers: 37 for Kubernetes 1.37.
	Kubernetes uint
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

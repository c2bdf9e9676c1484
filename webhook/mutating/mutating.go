// Package mutating makes the policies that inject without the server: MutatingAdmissionPolicies that the API server
// evaluates itself. They take the place of the webhook in clusters of Kubernetes 1.36 and later that want to run
// nothing of ours.
//
//	policy                                 does
//	sysctl-injector-inject                 adds the init container, the label and the status to a pod that asks
//	                                       for sysctls
//	sysctl-injector-inject-runtimeclass    the same for a pod that names a RuntimeClass
//	sysctl-injector-decide                 rejects a pod that asks for what cannot be read or is not allowed, or that
//	                                       was not injected
//	sysctl-injector-decide-kernel          rejects a pod that was injected for another kernel than that of its
//	                                       RuntimeClass
//
// The first two are MutatingAdmissionPolicies. A mutation that fails can only show an error of CEL, so they leave a
// pod that they cannot inject as it is. The other two are ValidatingAdmissionPolicies, which come later. The policy
// sysctl-injector-decide derives the container and the status again, from the annotations alone, and compares them
// with what the pod has. So nothing depends on the order of policies, and a pod's author cannot write either by hand.
//
// Everything that the policies go by is the webhook's own: the grammar and the catalogue of package sysctl, the forms
// of templates/forms. SysctlPolicies and SysctlProfiles become part of the expressions, as they are at the time of
// rendering.
//
// # Whose kernel
//
// CEL cannot look up the RuntimeClass that a pod names. As in the guard, policies have all RuntimeClasses as their
// parameters, and are evaluated with each of them in turn. A pod that names no class, or one that does not exist,
// matches none of them.
//
// # Grants
//
// Nothing here grants anything. The guard asks for the grants, as it does with a server in the mode --grants=require.
package mutating

import (
	"fmt"
	"maps"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/templates"
	mutatingtemplates "github.com/sysctl-injector/sysctl-injector/templates/mutating"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// oldest is the minor version of Kubernetes that has MutatingAdmissionPolicy as admissionregistration.k8s.io/v1.
const oldest = 36

// Config is what an administrator chooses of injection, and what the policies are rendered from.
type Config struct {
	form.Config
	PullSecrets []string // names of Secrets in the pods' namespaces
	// GuestHandlers are the RuntimeClass handlers whose pods have a kernel of their own.
	GuestHandlers []string
	// KubernetesVersion is the cluster's: "1.37", or as an API server reports it. Empty means the newest that is
	// known.
	KubernetesVersion string
	// Version is reported in the pod's status.
	Version string

	Policies []*v1alpha1.SysctlPolicy
	Profiles []*v1alpha1.SysctlProfile
}

func (c Config) validate() (kubernetes uint, err error) {
	var errs field.ErrorList
	if kubernetes, err = form.ParseKubernetes(c.KubernetesVersion); err == nil && kubernetes < oldest {
		err = fmt.Errorf("the oldest version that has MutatingAdmissionPolicy in its final version is 1.%d", oldest)
	}
	if err != nil {
		errs = append(errs, field.Invalid(field.NewPath("KubernetesVersion"), c.KubernetesVersion, err.Error()))
	}
	for i, name := range c.PullSecrets {
		for _, problem := range validation.IsDNS1123Subdomain(name) {
			errs = append(errs, field.Invalid(field.NewPath("PullSecrets").Index(i), name, problem))
		}
	}
	for i, handler := range c.GuestHandlers {
		for _, problem := range validation.IsDNS1123Label(handler) {
			errs = append(errs, field.Invalid(field.NewPath("GuestHandlers").Index(i), handler, problem))
		}
	}
	for _, p := range c.Policies {
		_, invalid := policy.CompilePolicy(p)
		errs = append(errs, at(field.NewPath("SysctlPolicy").Key(p.Name), invalid)...)
	}
	for _, p := range c.Profiles {
		_, invalid := policy.CompileProfile(p)
		errs = append(errs, at(field.NewPath("SysctlProfile").Key(p.Name), invalid)...)
		if p.Spec.AppliesTo != nil {
			errs = append(errs, field.Forbidden(field.NewPath("SysctlProfile").Key(p.Name).Child("spec", "appliesTo"),
				"profiles that apply by default need the server"))
		}
	}
	return kubernetes, errs.ToAggregate()
}

// at puts a path before those of errors.
func at(path *field.Path, errs field.ErrorList) field.ErrorList {
	for _, err := range errs {
		err.Field = path.String() + "." + err.Field
	}
	return errs
}

// Render returns the policies and then their bindings, or says what is wrong with which field of config.
func Render(config Config) ([]client.Object, error) {
	config.Policies, config.Profiles = latest(config.Policies), latest(config.Profiles)
	kubernetes, err := config.validate()
	if err != nil {
		return nil, err
	}
	literals, err := literalsOf(config, kubernetes)
	if err != nil {
		return nil, err
	}
	injections := []string{"request.yaml", "container.yaml", "patch.yaml"}
	decisions := []string{"request.yaml", "container.yaml", "decision.yaml"}
	var objects []client.Object
	for _, p := range []struct {
		name, kernel string
		files        []string
		object       client.Object
	}{
		{"inject", `'Shared'`, injections, &admissionregistrationv1.MutatingAdmissionPolicy{}},
		{"inject-runtimeclass", literals["classKernel"], injections,
			&admissionregistrationv1.MutatingAdmissionPolicy{}},
		{"decide", claimedKernel, decisions, &admissionregistrationv1.ValidatingAdmissionPolicy{}},
		{"decide-kernel", literals["classKernel"], nil, &admissionregistrationv1.ValidatingAdmissionPolicy{}},
	} {
		if err := templates.Decode(mutatingtemplates.Files, "policies/"+p.name+".yaml", p.object); err != nil {
			return nil, err
		}
		variables, err := literals.variables(p.kernel, p.files)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", p.name, err)
		}
		switch object := p.object.(type) {
		case *admissionregistrationv1.MutatingAdmissionPolicy:
			object.Spec.Variables = variables
			if err := templates.Decode(mutatingtemplates.Files, "mutations.yaml", &object.Spec.Mutations); err != nil {
				return nil, err
			}
		case *admissionregistrationv1.ValidatingAdmissionPolicy:
			object.Spec.Variables = variables
		}
		objects = append(objects, p.object)
	}
	return addBindings(objects)
}

// latest returns the objects by name. Of two with one name, the later one counts.
func latest[T client.Object](objects []T) []T {
	byName := map[string]T{}
	for _, object := range objects {
		byName[object.GetName()] = object
	}
	latest := make([]T, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		latest = append(latest, byName[name])
	}
	return latest
}

// claimedKernel is the kernel that a pod was injected for. The policy sysctl-injector-decide-kernel checks it.
const claimedKernel = `object.spec.?runtimeClassName.orValue('') != ''
&& object.metadata.?annotations[?'sysctl-injector.dev/status'].orValue('').contains('"kernel":"Guest"') ` +
	`? 'Guest' : 'Shared'`

// variables returns the variables of files, behind that of the kernel.
func (l literals) variables(kernel string, files []string) ([]admissionregistrationv1.Variable, error) {
	all := []admissionregistrationv1.Variable{{Name: "kernel", Expression: kernel}}
	for _, file := range files {
		var variables []admissionregistrationv1.Variable
		if err := templates.Decode(mutatingtemplates.Files, file, &variables); err != nil {
			return nil, err
		}
		for _, variable := range variables {
			if variable.Expression == "" {
				expression, known := l[variable.Name]
				if !known {
					return nil, fmt.Errorf("nothing fills in the variable %q", variable.Name)
				}
				variable.Expression = expression
			}
			all = append(all, variable)
		}
	}
	return all, nil
}

func addBindings(objects []client.Object) ([]client.Object, error) {
	var bindings struct {
		Injections []*admissionregistrationv1.MutatingAdmissionPolicyBinding   `json:"injections"`
		Decisions  []*admissionregistrationv1.ValidatingAdmissionPolicyBinding `json:"decisions"`
	}
	if err := templates.Decode(mutatingtemplates.Files, "bindings.yaml", &bindings); err != nil {
		return nil, err
	}
	for _, binding := range bindings.Injections {
		objects = append(objects, binding)
	}
	for _, binding := range bindings.Decisions {
		objects = append(objects, binding)
	}
	return objects, nil
}

// Package guard renders the guard: ValidatingAdmissionPolicies that hold the pods of a namespace to a Pod Security
// Standard, as Pod Security admission would, except for the injected container. Pod Security admission has no
// exception for one container: it would reject the injected one, or allow every container to be privileged. This
// package renders; it installs nothing, and package inspect compares an installed guard with a rendered one.
//
//	policy                       rejects
//	sysctl-injector-baseline     a pod that violates "baseline", or a sysctl that is not granted to its service
//	                             account
//	sysctl-injector-restricted   the same, with "restricted"
//	sysctl-injector-kernel       sysctls of the whole kernel without a RuntimeClass that gives the pod a kernel of
//	                             its own
//	sysctl-injector-exec         exec and attach into the injected container
//	sysctl-injector-presence     a pod that asks for sysctls and that the webhook has not seen
//	sysctl-injector-defaults     a pod without the sysctls that a profile gives it by default
//
// The policies apply to namespaces with the label sysctl-injector.dev/inject or sysctl-injector.dev/enforce, whatever
// the value:
//
//	enforce                      standard
//	absent                       baseline
//	baseline, restricted         that one
//	privileged                   none; of the other policies only sysctl-injector-presence applies
//	anything else                restricted, and rejections say so: a typing error must not open a namespace
//
// The standards are those of the cluster's Kubernetes version, as with Pod Security's "latest". standards.go has the
// differences.
//
// # The injected container
//
// The guard recognises the container by its whole shape and not by its name. The shapes come from templates/forms:
// fields that are the same in every pod are compared, and templates/guard/standard.yaml has expressions for the
// others. Any other container with the name is rejected, and also held to the standard, so that the message reports
// both.
//
// The container has several forms. One or two fields tell which form it claims to be (the variable "form"). It is
// compared with that form only, so that the costs of the forms do not add up. The forms of a user namespace are
// admitted only with hostUsers: false. A container that any pod may have needs no grant: the one that only reads, and
// where baseline trusts user namespaces, the one for IPC names.
//
// If the webhook is not called for a namespace (it is not labelled inject=enabled), the container is rejected when a
// pod is created. The guard knows which names were granted, but only the webhook knows which values a policy allows.
// Existing pods may still be updated.
//
// A dry run needs no grants. The webhook grants nothing in a dry run, so a service account's first pod would be
// rejected.
//
// # Presence
//
// While the webhook does not answer, the API server still creates pods that ask for nothing. It calls the webhook
// again when another webhook has changed the pod. A pod that gets the annotation so late that the webhook does not
// see it would start without its sysctls. The policy sysctl-injector-presence rejects it, because it lacks the status
// annotation, which the webhook writes into each pod that asks. An author gains nothing by writing that annotation:
// the API server creates a pod with a key of ours only after the webhook has answered.
//
// # Native sysctls
//
// An unsafe name in securityContext.sysctls violates every standard. The webhook writes such a name only if an
// administrator has declared that all kubelets allow it, and records it with its value in the status annotation. The
// check "sysctls" admits exactly those, in pods that ask for sysctls: their status is the webhook's own.
//
// # Defaults
//
// A profile can apply to a pod that does not name it. The webhook writes the names of such profiles into the status
// annotation. The policy sysctl-injector-defaults has all SysctlProfiles as its parameters and evaluates their
// selectors. It rejects a pod whose status lacks a profile that applies: the webhook did not see the pod, or not with
// its present labels. So nothing depends on the order of webhooks.
//
// # The kernel of a pod
//
// CEL cannot look up the RuntimeClass that a pod names. A policy can have objects as its parameters, and
// sysctl-injector-kernel has all RuntimeClasses. The API server evaluates it with each of them. All evaluations have
// to pass, and each one judges only the pods that name its class. So the guard reads the same objects as the webhook.
// It fails closed: before the API server has read the classes, it admits no pod that the policy matches. A pod
// without a class, or with one that does not exist, is rejected by the other policies or by the API server's
// RuntimeClass admission.
//
// # Limits
//
// An authorization check costs 350,000 units. An expression may cost 1,000,000, and a binding 10,000,000. So each
// argument's check is an expression of its own, and 16 of them cost at most 5,600,000. The API server reports only
// the first expression that fails, so violations of the standard come together, and sysctls that are not granted come
// one by one.
package guard

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/templates"
	guardtemplates "github.com/sysctl-injector/sysctl-injector/templates/guard"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Config is what an administrator chooses of the guard.
type Config struct {
	// Images are the init images of the injected container: the one that the webhook injects, and during an upgrade
	// the former one, until no pod has it.
	Images []string
	// GuestHandlers are the RuntimeClass handlers whose pods have a kernel of their own. RuntimeClasses labelled
	// sysctl-injector.dev/kernel=guest need not be among them.
	GuestHandlers []string
	// KubeletSysctls are patterns of the unsafe sysctls that all kubelets allow, which the webhook may write into
	// securityContext.sysctls.
	KubeletSysctls []string
	// KubernetesVersion is the cluster's: "1.35", or as an API server reports it ("v1.35.4-eks-1a2b3c"). The guard
	// has the standards of that version. If it is empty or newer than the newest known version, the guard has those
	// of the newest.
	KubernetesVersion string
}

func (c Config) validate() error {
	images, handlers := field.NewPath("Images"), field.NewPath("GuestHandlers")
	var errs field.ErrorList
	if len(c.Images) == 0 {
		errs = append(errs, field.Required(images, "without the init image's name no pod could be injected"))
	}
	for i, image := range c.Images {
		if !form.IsImage(image) {
			errs = append(errs, field.Invalid(images.Index(i), image, "this is no image reference"))
		}
	}
	for i, handler := range c.GuestHandlers {
		for _, problem := range validation.IsDNS1123Label(handler) {
			errs = append(errs, field.Invalid(handlers.Index(i), handler, problem))
		}
	}
	for i, text := range c.KubeletSysctls {
		if pattern, err := form.ParseKubeletSysctl(text); err != nil || pattern.String() != text {
			errs = append(errs, field.Invalid(field.NewPath("KubeletSysctls").Index(i), text,
				"not a pattern of sysctls in dot form, such as net.core.*"))
		}
	}
	if _, err := parseMinor(c.KubernetesVersion); err != nil {
		errs = append(errs, field.Invalid(field.NewPath("KubernetesVersion"), c.KubernetesVersion, err.Error()))
	}
	return errs.ToAggregate()
}

// Render returns the policies and then their bindings, or says what is wrong with which field of config.
func Render(config Config) ([]client.Object, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	kubernetes, err := parseMinor(config.KubernetesVersion)
	if err != nil {
		return nil, err
	}
	literals, err := literalsOf(config, kubernetes)
	if err != nil {
		return nil, err
	}
	var objects []client.Object
	for _, build := range []struct {
		name  string
		parts []addition
	}{
		{"baseline", append(shared("container.yaml", "standard.yaml"), judge(baseline, kubernetes)...)},
		{"restricted", append(shared("container.yaml", "standard.yaml"), judge(restricted, kubernetes)...)},
		{"kernel", shared("container.yaml")},
		{"exec", nil},
		{"presence", nil},
		{"defaults", nil},
	} {
		policy, err := renderPolicy(build.name, build.parts, literals)
		if err != nil {
			return nil, err
		}
		objects = append(objects, policy)
	}
	var bindings admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	if err := templates.Decode(guardtemplates.Files, "bindings.yaml", &bindings); err != nil {
		return nil, err
	}
	for i := range bindings.Items {
		objects = append(objects, &bindings.Items[i])
	}
	return objects, nil
}

// addition adds something that several policies share to a policy.
type addition func(*admissionregistrationv1.ValidatingAdmissionPolicySpec) error

func renderPolicy(name string, parts []addition,
	literals map[string]string) (*admissionregistrationv1.ValidatingAdmissionPolicy, error) {
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	if err := templates.Decode(guardtemplates.Files, "policies/"+name+".yaml", policy); err != nil {
		return nil, err
	}
	// A variable may refer only to those before it, so the policy's own variables come last.
	own := policy.Spec.Variables
	policy.Spec.Variables = nil
	for _, add := range parts {
		if err := add(&policy.Spec); err != nil {
			return nil, err
		}
	}
	policy.Spec.Variables = append(policy.Spec.Variables, own...)
	for i := range policy.Spec.Variables {
		variable := &policy.Spec.Variables[i]
		if variable.Expression != "" {
			continue
		}
		list, sorted := strings.CutSuffix(variable.Name, "_sorted")
		literal, known := literals[variable.Name]
		switch {
		case sorted:
			variable.Expression = sortedOf(list)
		case known:
			variable.Expression = literal
		default:
			return nil, fmt.Errorf("policy %s: nothing fills in the variable %q", name, variable.Name)
		}
	}
	return policy, nil
}

// shared adds the variables of files.
func shared(files ...string) []addition {
	var parts []addition
	for _, file := range files {
		parts = append(parts, func(spec *admissionregistrationv1.ValidatingAdmissionPolicySpec) error {
			var variables []admissionregistrationv1.Variable
			if err := templates.Decode(guardtemplates.Files, file, &variables); err != nil {
				return err
			}
			spec.Variables = append(spec.Variables, variables...)
			return nil
		})
	}
	return parts
}

// judge adds the checks of a standard, the list of all violations that the version's checks find, and a validation
// for each grant. Every version has the variables of every check, so that versions differ only in the values of
// variables.
func judge(checks []row, kubernetes minor) []addition {
	checks = slices.Concat(ours, checks)
	var files, results []string
	for _, check := range at(newest, checks) {
		files = append(files, "checks/"+check+".yaml")
	}
	for _, check := range at(kubernetes, checks) {
		results = append(results, "variables."+check)
	}
	return append(shared(files...), func(spec *admissionregistrationv1.ValidatingAdmissionPolicySpec) error {
		spec.Variables = append(spec.Variables, admissionregistrationv1.Variable{
			Name:       "violations",
			Expression: strings.Join(results, "\n+ "),
		})
		for i := range sysctl.MaxContained {
			spec.Validations = append(spec.Validations, granted(i))
		}
		return nil
	})
}

// granted validates that the service account may use the sysctl of one argument.
func granted(argument int) admissionregistrationv1.Validation {
	return admissionregistrationv1.Validation{
		Expression: fmt.Sprintf("variables.asked.size() <= %[1]d\n|| "+
			"variables.use.name(variables.asked[%[1]d]).check('use').allowed()", argument),
		MessageExpression: fmt.Sprintf(
			"variables.asked.size() <= %[1]d ? '' : 'sysctl \"' + variables.asked[%[1]d] + '\"' + variables.remedy",
			argument),
		Message: "a sysctl that the injected container sets is not granted to the pod's service account",
		Reason:  new(metav1.StatusReasonForbidden),
	}
}

// Package guard makes the guard: ValidatingAdmissionPolicies that hold the pods of a namespace to a Pod Security Standard, as
// Pod Security admission would, except for the one container that the webhook injects. Pod Security admission knows no such
// exception: it would reject that container, or let every other one be privileged too.
//
//	policy                       asks
//	sysctl-injector-baseline     does the pod meet "baseline", and was each sysctl granted to its service account?
//	sysctl-injector-restricted   the same, with "restricted"
//	sysctl-injector-kernel       do sysctls of the whole kernel come with a RuntimeClass that gives the pod its own?
//	sysctl-injector-exec         does somebody want to get into the injected container?
//	sysctl-injector-presence     does a pod ask for sysctls that the webhook has not seen?
//	sysctl-injector-defaults     does a profile apply by default to a pod that the webhook has not given it?
//
// They hold where a namespace has the label sysctl-injector.dev/inject or sysctl-injector.dev/enforce, of whatever value:
//
//	enforce                      standard
//	absent                       baseline
//	baseline, restricted         as it says
//	privileged                   none, and of the rest of the guard only sysctl-injector-presence
//	anything else                restricted, and rejections say so: a typing error must not open a namespace
//
// The standards are those of the cluster's own Kubernetes version, as with Pod Security's "latest": standards.go has what differs.
//
// # The injected container
//
// It is known by all that it has, not by its name, and all of that comes from templates/forms: the fields that are
// the same in every pod are compared, for the others see templates/guard/standard.yaml. Any other container of that name is
// rejected, and held to the standard besides, so that the message tells both.
//
// There are several forms of it. A field or two tell which one a container claims to be (the variable "form"), and it is compared with that
// one alone, so that the costs of the forms do not add up. Those of a user namespace are admitted only with hostUsers: false. No grant
// is asked for what any pod may have: the one that only reads, and, where baseline trusts user namespaces, the one for IPC names.
//
// Where the webhook is not called (the namespace is not labelled inject=enabled) the container is rejected too, when a
// pod is created: the guard can tell which names were granted, but only the webhook knows what values a policy allows.
// Pods that have it already may still be updated.
//
// A dry run is not asked for grants: the webhook grants nothing in a dry run, so a service account's first pod would be rejected.
//
// # Presence
//
// The API server creates pods that ask for nothing also while the webhook does not answer, and asks about a pod again when another
// webhook has changed it. A pod whose annotation comes so late, and that the webhook then does not see, would start without its
// sysctls. The policy sysctl-injector-presence rejects it: it has no status annotation, which the webhook writes into each pod that
// asks. A pod's author gains nothing by writing it: the API server creates a pod that has a key of ours only after the webhook
// has answered.
//
// # Native sysctls
//
// An unsafe name in securityContext.sysctls violates every standard. The webhook writes such names only if an administrator has declared
// that all kubelets allow them, and names them with their values in the status annotation. The check "sysctls" lets exactly those pass, in
// pods that ask for sysctls: their status is the webhook's own.
//
// # Defaults
//
// A profile can apply to a pod that does not name it. The webhook writes the names of such profiles into the status annotation. The policy
// sysctl-injector-defaults has all SysctlProfiles as its parameters, evaluates their selectors itself, and rejects a pod whose status lacks
// one that applies: the webhook did not see the pod, or not with the labels that it has now. So nothing depends on the order of webhooks.
//
// # Whose kernel
//
// CEL cannot look up the RuntimeClass that a pod names. But a policy can have objects as its parameters, and the
// policy sysctl-injector-kernel has all RuntimeClasses. It is evaluated with each of them in turn, all have to agree, and each
// speaks for the pods that name it alone. So it reads the very objects that the webhook reads, and nobody has to write
// anything for it. It fails closed: before the API server has read the classes nothing that is matched is admitted, and a pod
// that names no class, or one that does not exist, is rejected by the other policies or by the API server's own RuntimeClass
// admission.
//
// # Limits
//
// An authorization check costs 350,000 of the 1,000,000 units that an expression may cost, and of the 10,000,000
// that a binding may. Each argument's check is therefore an expression of its own, and 16 are no more than 5,600,000. The price:
// the API server tells the first expression that fails, so violations of the standard come all at once, and
// sysctls that were not granted one by one.
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
	// Images are the init images that are ours: the one that the webhook injects, and in an upgrade the former one too, until
	// the last pod that has it is gone.
	Images []string
	// GuestHandlers are the RuntimeClass handlers whose pods have a kernel of their own. RuntimeClasses labelled
	// sysctl-injector.dev/kernel=guest need not be among them.
	GuestHandlers []string
	// KubeletSysctls are patterns of the unsafe sysctls that all kubelets allow, which the webhook may write into
	// securityContext.sysctls.
	KubeletSysctls []string
	// KubernetesVersion is the cluster's: "1.35", or as an API server reports it ("v1.35.4-eks-1a2b3c"). The guard has the
	// standards of that version; of the newest that it knows where the cluster is newer, or if this is empty.
	KubernetesVersion string
}

func (c Config) validate() error {
	images, handlers := field.NewPath("Images"), field.NewPath("GuestHandlers")
	var errs field.ErrorList
	if len(c.Images) == 0 {
		errs = append(errs, field.Required(images, "without the init image's name no pod could be injected"))
	}
	for i, image := range c.Images {
		if image == "" || strings.ContainsFunc(image, func(r rune) bool { return r <= ' ' || r > '~' }) {
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
			errs = append(errs, field.Invalid(field.NewPath("KubeletSysctls").Index(i), text, "not a pattern of sysctls in dot form, such as net.core.*"))
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

// addition adds to a policy what several policies share.
type addition func(*admissionregistrationv1.ValidatingAdmissionPolicySpec) error

func renderPolicy(name string, parts []addition, literals map[string]string) (*admissionregistrationv1.ValidatingAdmissionPolicy, error) {
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	if err := templates.Decode(guardtemplates.Files, "policies/"+name+".yaml", policy); err != nil {
		return nil, err
	}
	// A variable may name those before it only: the policy's own come last.
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

// judge adds the checks of a standard, the list of all violations that those of the version find, and a validation for each grant.
// The variables of a check are there in every version, so that versions differ in the values of variables only.
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

// granted asks whether the service account may use the sysctl of one argument.
func granted(argument int) admissionregistrationv1.Validation {
	return admissionregistrationv1.Validation{
		Expression: fmt.Sprintf("variables.asked.size() <= %[1]d\n|| variables.use.name(variables.asked[%[1]d]).check('use').allowed()", argument),
		MessageExpression: fmt.Sprintf(
			"variables.asked.size() <= %[1]d ? '' : 'sysctl \"' + variables.asked[%[1]d] + '\"' + variables.remedy", argument),
		Message: "a sysctl that the injected container sets is not granted to the pod's service account",
		Reason:  new(metav1.StatusReasonForbidden),
	}
}

package policy

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Reasons why a pod cannot have the profiles that apply to it by default.
const (
	ReasonInvalidProfile      = "InvalidProfile"
	ReasonConflictingDefaults = "ConflictingDefaults"
	ReasonTooManySysctls      = "TooManySysctls"
)

// selectors are a profile's spec.appliesTo.
type selectors struct{ namespaces, pods labels.Selector }

// compileSelectors reads selectors. Those that cannot be read select every pod: each is then rejected rather than
// started without the profile.
func compileSelectors(to v1alpha1.AppliesTo, path *field.Path) (*selectors, field.ErrorList) {
	namespaces, errs := compileSelector(to.NamespaceSelector, path.Child("namespaceSelector"))
	pods, podErrs := compileSelector(to.PodSelector, path.Child("podSelector"))
	return &selectors{namespaces, pods}, append(errs, podErrs...)
}

func compileSelector(selector metav1.LabelSelector, path *field.Path) (labels.Selector, field.ErrorList) {
	errs := metavalidation.ValidateLabelSelector(&selector, metavalidation.LabelSelectorValidationOptions{}, path)
	compiled, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil && len(errs) == 0 {
		errs = append(errs, field.Invalid(path, "", err.Error()))
	}
	if len(errs) > 0 {
		return labels.Everything(), errs
	}
	return compiled, nil
}

// Defaults returns the profiles whose selectors select a pod, by name. There are none in a namespace without the
// label for them. labelsOfPod is called only where a profile may apply.
func (s *Set) Defaults(namespace map[string]string, labelsOfPod func() (map[string]string, error)) ([]*Profile, error) {
	if len(s.defaults) == 0 || namespace[v1alpha1.DefaultsLabel] != v1alpha1.DefaultsEnabled ||
		namespace[v1alpha1.InjectLabel] != v1alpha1.InjectEnabled {
		return nil, nil
	}
	pod, err := labelsOfPod()
	if err != nil {
		return nil, err
	}
	var applying []*Profile
	for _, p := range s.defaults {
		if p.appliesTo.namespaces.Matches(labels.Set(namespace)) && p.appliesTo.pods.Matches(labels.Set(pod)) {
			applying = append(applying, p)
		}
	}
	return applying, nil
}

// DefaultsIn names the profiles that apply by default to pods of a namespace with these labels: to all of them, or to
// those that the profile's podSelector selects.
func (s *Set) DefaultsIn(namespace map[string]string) []string {
	var applying []string
	for _, p := range s.defaults {
		if s.WhyNoDefault(p.name, namespace) != "" {
			continue
		}
		text := p.name
		if !p.appliesTo.pods.Empty() {
			text += " (pods with " + p.appliesTo.pods.String() + ")"
		}
		applying = append(applying, text)
	}
	return applying
}

// WhyNoDefault says why a profile applies to no pod of a namespace with these labels unless the pod names it; "" if
// it does apply.
func (s *Set) WhyNoDefault(profile string, namespace map[string]string) string {
	p := s.profiles[profile]
	switch {
	case p == nil:
		return fmt.Sprintf("there is no SysctlProfile %q; there are %s", profile, strings.Join(s.profileNames, ", "))
	case p.unreadable != nil:
		return "SysctlProfile " + p.problem()
	case p.appliesTo == nil:
		return fmt.Sprintf("SysctlProfile %q applies only to pods that name it: it has no spec.appliesTo", profile)
	case !p.appliesTo.namespaces.Matches(labels.Set(namespace)):
		return fmt.Sprintf("SysctlProfile %q does not select this namespace: its spec.appliesTo is for namespaces "+
			"with %s", profile, p.appliesTo.namespaces)
	}
	return ""
}

// AddDefaults puts what the profiles set that apply to a pod by default below what the pod asks for. A profile that
// the pod names too has its rank from there. Two defaults that disagree are a violation, unless the pod settles it:
// no order among them could decide.
func AddDefaults(asked []Setting, defaults []*Profile, path *field.Path) ([]Setting, []Violation) {
	var violations []Violation
	for _, p := range defaults {
		if p.unreadable != nil {
			violations = append(violations, Violation{ReasonInvalidProfile,
				field.Forbidden(path, "SysctlProfile "+p.problem())})
		}
	}
	settings, disagreements := ofProfiles(defaults, path, asked)
	for _, d := range disagreements {
		violations = append(violations, Violation{ReasonConflictingDefaults,
			field.Forbidden(path, fmt.Sprintf("default profiles %s; an administrator can change "+
				"one of them or narrow its spec.appliesTo, and the pod can settle it with a line in %s", d,
				v1alpha1.SysctlsAnnotation))})
	}
	for i := range settings {
		settings[i].Default = true
	}
	settings = under(settings, asked)
	if len(violations) == 0 && len(settings) > sysctl.MaxAssignments {
		violations = append(violations, Violation{ReasonTooManySysctls,
			field.Forbidden(path, fmt.Sprintf("the pod gets %d sysctls, those of default profiles "+
				"included; at most %d are allowed", len(settings), sysctl.MaxAssignments))})
	}
	return settings, violations
}

// problem says why a profile counts for nothing.
func (p *Profile) problem() string { return fmt.Sprintf("%q cannot be read: %s", p.name, p.unreadable) }

// Names returns the names of profiles, in their order.
func Names(profiles []*Profile) []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.name
	}
	return names
}

// ProfileSetting is what a profile sets a sysctl to.
type ProfileSetting struct {
	Profile string
	sysctl.Assignment
	// AppliesTo says to which pods the profile applies by default: "" if only to those that name it.
	AppliesTo string
}

// Setting returns what the profiles set a sysctl to, by the profiles' names.
func (s *Set) Setting(name string) []ProfileSetting {
	var all []ProfileSetting
	for _, profile := range s.profileNames {
		p := s.profiles[profile]
		for _, assignment := range p.assignments {
			if assignment.Name == name {
				all = append(all, ProfileSetting{profile, assignment, p.appliesTo.String()})
			}
		}
	}
	return all
}

// String says which pods are selected, in namespaces with the label for defaults.
func (s *selectors) String() string {
	if s == nil {
		return ""
	}
	var parts []string
	for _, part := range []struct {
		what     string
		selector labels.Selector
	}{{"namespaces", s.namespaces}, {"pods", s.pods}} {
		if !part.selector.Empty() {
			parts = append(parts, part.what+" with "+part.selector.String())
		}
	}
	if len(parts) == 0 {
		return "every pod"
	}
	return strings.Join(parts, ", ")
}

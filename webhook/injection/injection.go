// Package injection decides on one pod: denied, skipped, or given an init container that sets its sysctls. It is
// pure: the facts are passed in, and the outcome is plain data.
package injection

import (
	"fmt"
	"strings"

	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Reasons of an Outcome that admits the pod.
const (
	ReasonInjected        = "Injected"
	ReasonAlreadyInjected = "AlreadyInjected"
	ReasonNotRequested    = "NotRequested"
	ReasonOptedOut        = "OptedOut"
)

// Reasons of a denial that are not a rule's.
const (
	ReasonUnreadablePod  = "UnreadablePod"
	ReasonUnknownKey     = "UnknownKey"
	ReasonReservedName   = "ReservedName"
	ReasonNativeConflict = "NativeConflict"
)

// Target is where a pod is to run.
type Target struct {
	Namespace       string
	NamespaceLabels map[string]string
	RuntimeClass    *nodev1.RuntimeClass // that the pod names; nil where it names none, or one that does not exist
	// Template is the field path of the pod template in its object, for messages; nil for a pod.
	Template *field.Path
}

// Injector makes decisions. It never changes once made, so that any number of requests may use it at once.
type Injector struct {
	forms         *form.Forms
	pullSecrets   []string
	guestHandlers sets.Set[string]
	strategy      form.Strategy
	kubernetes    func() uint
	// kubeletSysctls are allowed on all kubelets.
	kubeletSysctls []sysctl.Pattern
	version        string
}

// Inject decides on one pod by the policies and profiles of rules.
func (i *Injector) Inject(p *pod.Pod, target Target, rules *policy.Set) Outcome {
	at := ofPod
	if target.Template != nil {
		at = pathsIn(target.Template)
	}
	if _, invalid := choice(p, at.metadata, v1alpha1.InjectAnnotation, "true", injects); invalid != nil {
		return denied(*invalid)
	}
	out := p.OptsOut()
	if !out {
		if violations := unknownKeys(p, at.metadata); len(violations) > 0 {
			return denied(violations...)
		}
	}
	var defaults []*policy.Profile
	if !out && !p.DeclinesDefaults() {
		var err error
		if defaults, err = rules.Defaults(target.NamespaceLabels, p.AllLabels); err != nil {
			return Denied(ReasonUnreadablePod, field.Forbidden(at.metadata, err.Error()))
		}
	}
	if out || !p.AsksForSysctls() && len(defaults) == 0 {
		return skip(p, out, target)
	}
	outcome := i.decide(i.asStored(p), target, rules, defaults, at)
	if outcome.IsDenied() {
		outcome.Remedy = remedy(defaults)
	}
	return outcome
}

// podResourcesSince is the minor version of Kubernetes since which spec.resources counts (KEP-2837, beta in 1.34).
const podResourcesSince = 34

// asStored returns the pod without spec.resources where the API server drops that field after the webhooks have seen
// it. The pod's QoS class then depends on its containers alone.
func (i *Injector) asStored(p *pod.Pod) *pod.Pod {
	if !p.HasResources || i.kubernetes() >= podResourcesSince {
		return p
	}
	stored := *p
	stored.HasResources = false
	return &stored
}

// remedy says how a rejected pod opts out of its default profiles.
func remedy(defaults []*policy.Profile) string {
	if len(defaults) == 0 {
		return ""
	}
	return fmt.Sprintf("This namespace has defaults, and SysctlProfile %s applies to the pod. To create it without "+
		"them, give it the annotation %s: \"\"; "+
		"an administrator can narrow the profile's spec.appliesTo", strings.Join(policy.Names(defaults), ", "),
		v1alpha1.ProfilesAnnotation)
}

// decide decides on a pod that gets sysctls, because it asks for them or by default.
func (i *Injector) decide(p *pod.Pod, target Target, rules *policy.Set, defaults []*policy.Profile, at paths) Outcome {
	if !p.HasSpec {
		return Denied(ReasonUnreadablePod, field.Required(child(target.Template, "spec"),
			"a pod that asks for sysctls needs its spec"))
	}
	settings, errs := rules.Settings(policy.Request{
		Sysctls: p.Annotation(v1alpha1.SysctlsAnnotation), SysctlsPath: at.sysctls,
		Profiles: p.Annotation(v1alpha1.ProfilesAnnotation), ProfilesPath: at.profiles,
	})
	if len(errs) > 0 {
		return denied(invalidAnnotations(errs)...)
	}
	settings, violations := policy.AddDefaults(settings, defaults, at.profiles)
	if len(violations) > 0 {
		return denied(violations...)
	}
	facts := i.facts(p, target)
	ways, invalid := i.ways(p, facts, at.metadata)
	if invalid != nil {
		return denied(*invalid)
	}
	plan := i.forms.Plan(ways, settings)
	violations = plan.Check()
	if len(violations) == 0 && !plan.Form.OnlyReads {
		violations = rules.Evaluate(facts, settings, plan.Form.Rules)
	}
	if violations = append(violations, nativeConflicts(p, settings)...); len(violations) > 0 {
		return denied(violations...)
	}
	outcome := i.inject(p, plan, target, facts, settings, policy.Names(defaults))
	if outcome.IsDenied() || plan.Form.OnlyReads { // which needs no policy
		return outcome
	}
	if outcome.Trial = rules.Try(facts, settings); outcome.Trial != nil && outcome.Trial.Warn {
		outcome.Warnings = append(outcome.Warnings, trialWarning(outcome.Trial))
	}
	return outcome
}

func (i *Injector) facts(p *pod.Pod, target Target) policy.Facts {
	facts := policy.Facts{
		Namespace:       target.Namespace,
		NamespaceLabels: target.NamespaceLabels,
		ServiceAccount:  p.ServiceAccount(),
		HostNetwork:     p.HostNetwork,
		HostIPC:         p.HostIPC,
		UserNamespace:   !p.HostUsers,
		Windows:         p.WindowsField(),
		SELinuxType:     p.SELinuxType,
		Mirror:          p.Mirror,
		Kernel:          policy.KernelOf(target.RuntimeClass, i.guestHandlers),
		RuntimeClass:    p.RuntimeClass,
	}
	if class := target.RuntimeClass; class != nil {
		facts.Handler = class.Handler
		// The API server adds this to the pod's own selector. In a file it is missing.
		if facts.Windows == "" && class.Scheduling != nil && pod.SelectsWindows(class.Scheduling.NodeSelector) {
			facts.Windows = fmt.Sprintf("scheduling.nodeSelector of RuntimeClass %q: kubernetes.io/os=windows",
				class.Name)
		}
	}
	return facts
}

// ways returns what decides on the form of each sysctl.
func (i *Injector) ways(p *pod.Pod, facts policy.Facts, metadata *field.Path) (form.Pod, *policy.Violation) {
	strategy, invalid := choice(p, metadata, v1alpha1.StrategyAnnotation, string(i.strategy), form.Strategies)
	if invalid != nil {
		return form.Pod{}, invalid
	}
	mode, invalid := choice(p, metadata, v1alpha1.ModeAnnotation, modeSet, Modes)
	return form.Pod{
		Facts: facts, Asks: p.AsksForSysctls(), Verify: mode == modeVerify,
		NativeFirst: strategy == string(form.NativeFirst),
		Kubernetes:  i.kubernetes(), KubeletSysctls: i.kubeletSysctls,
	}, invalid
}

// skip is for a pod that asks for nothing: it may not have a container with the reserved name either.
func skip(p *pod.Pod, optedOut bool, target Target) Outcome {
	if inits, elsewhere := reservedContainers(p); len(inits)+len(elsewhere) > 0 {
		return denied(rejectReserved(append(inits, elsewhere...), target)...)
	}
	if optedOut {
		return Outcome{Reason: ReasonOptedOut}
	}
	return Outcome{Reason: ReasonNotRequested}
}

func reservedName(r reserved, target Target) policy.Violation {
	path := child(target.Template, "spec").Child(r.list).Index(r.index).Child("name")
	return policy.Violation{Reason: ReasonReservedName, Err: field.Invalid(path, v1alpha1.ContainerName,
		"the name is kept for the init container that sysctl-injector adds; remove the container: it is added where "+
			"annotation "+v1alpha1.SysctlsAnnotation+" asks for it")}
}

// paths are where the metadata of a pod is, and the annotations by which it asks for sysctls.
type paths struct{ metadata, sysctls, profiles *field.Path }

// ofPod are those of a pod that is no template. They are made once, and not for every pod.
var ofPod = pathsIn(nil)

func pathsIn(template *field.Path) paths {
	metadata := child(template, "metadata")
	annotations := metadata.Child("annotations")
	return paths{metadata, annotations.Key(v1alpha1.SysctlsAnnotation), annotations.Key(v1alpha1.ProfilesAnnotation)}
}

// child is path.Child, also for the nil path of a pod.
func child(path *field.Path, name string) *field.Path {
	if path == nil {
		return field.NewPath(name)
	}
	return path.Child(name)
}

// Package injection decides what is done with one pod, and how: refused, left alone, or given an init container that sets
// its sysctls. It is pure: everything it needs is handed in, and its answer is plain data.
package injection

import (
	"fmt"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Reasons of an Outcome that is no refusal.
const (
	ReasonInjected        = "Injected"
	ReasonAlreadyInjected = "AlreadyInjected"
	ReasonNotRequested    = "NotRequested"
	ReasonOptedOut        = "OptedOut"
)

// Reasons of a refusal that is not a rule's.
const (
	ReasonUnreadablePod  = "UnreadablePod"
	ReasonUnknownKey     = "UnknownKey"
	ReasonReservedName   = "ReservedName"
	ReasonNativeConflict = "NativeConflict"
)

// Place is where a pod is to run.
type Place struct {
	Namespace       string
	NamespaceLabels map[string]string
	RuntimeClass    *nodev1.RuntimeClass // that the pod names; nil where it names none, or one that does not exist
	// Template is the field path of the pod template in its object, for messages; nil for a pod.
	Template *field.Path
}

// Outcome is the decision on one pod.
type Outcome struct {
	// Reason is short and stable: of the first refusal, or else what was done.
	Reason   string
	Refusals []policy.Refusal

	Operations []jsonpatch.Operation
	Warnings   []string
	Sysctls    []sysctl.Assignment
	// Need is what has to be granted before the pod may be admitted; nil where nothing is.
	Need *grants.Need
}

// IsRefused tells whether the pod may not be admitted.
func (o Outcome) IsRefused() bool { return len(o.Refusals) > 0 }

// maxRefusals bounds what is said about a pod: it could be made of nothing but mistakes.
const maxRefusals = 20

// Message tells a person why the pod is refused: every reason, and what to do about it. A pod with very many mistakes gets the first.
func (o Outcome) Message() string {
	if len(o.Refusals) == 1 {
		return o.Refusals[0].Reason + ": " + o.Refusals[0].Err.Error()
	}
	lines := make([]string, 0, 1+len(o.Refusals))
	lines = append(lines, fmt.Sprintf("%d problems:", len(o.Refusals)))
	for _, r := range o.Refusals {
		lines = append(lines, "- "+r.Reason+": "+r.Err.Error())
	}
	return strings.Join(lines, "\n")
}

// Injector makes decisions. It never changes once made, so that any number of requests may use it at once.
type Injector struct {
	container corev1.Container
	// The same as JSON, for pods that state no resources and for those that do.
	bare, stated  encoded
	pullSecrets   []string
	guestHandlers sets.Set[string]
	version       string
}

// Inject decides on one pod by the policies and profiles of rules.
func (i *Injector) Inject(p *pod.Pod, place Place, rules *policy.Set) Outcome {
	at := ofPod
	if place.Template != nil {
		at = pathsIn(place.Template)
	}
	out, invalid := optedOut(p, at.metadata)
	if invalid != nil {
		return refused(*invalid)
	}
	if !out {
		if refusals := unknownKeys(p, at.metadata); len(refusals) > 0 {
			return refused(refusals...)
		}
	}
	if out || !p.AsksForSysctls() {
		return skip(p, out, place)
	}
	if !p.HasSpec {
		return Refused(ReasonUnreadablePod, field.Required(child(place.Template, "spec"), "a pod that asks for sysctls needs its spec"))
	}
	settings, errs := rules.Settings(policy.Request{
		Sysctls: p.Annotation(v1alpha1.SysctlsAnnotation), SysctlsPath: at.sysctls,
		Profiles: p.Annotation(v1alpha1.ProfilesAnnotation), ProfilesPath: at.profiles,
	})
	if len(errs) > 0 {
		return refused(invalidAnnotations(errs)...)
	}
	facts := i.facts(p, place)
	refusals := append(rules.Evaluate(facts, settings), nativeConflicts(p, settings)...)
	if len(refusals) > 0 {
		return refused(refusals...)
	}
	return i.inject(p, place, facts, settings)
}

func (i *Injector) inject(p *pod.Pod, place Place, facts policy.Facts, settings []policy.Setting) Outcome {
	args := arguments(settings)
	found, refusals := present(p, func() corev1.Container { return i.render(p, args) }, place)
	if len(refusals) > 0 {
		return refused(refusals...)
	}
	outcome := Outcome{Reason: ReasonInjected, Warnings: warnings(facts, settings), Need: need(facts, settings)}
	if found != nil {
		outcome.Reason = ReasonAlreadyInjected
	}
	outcome.Sysctls = make([]sysctl.Assignment, 0, len(settings))
	for _, setting := range settings {
		outcome.Sysctls = append(outcome.Sysctls, setting.Assignment)
	}
	outcome.Operations = i.operations(p, args, found, Status{Version: i.version, Kernel: facts.Kernel, Sysctls: args}.encode())
	return outcome
}

// skip is for a pod that asks for nothing: it may not have a container with the reserved name either.
func skip(p *pod.Pod, optedOut bool, place Place) Outcome {
	if _, refusals := present(p, nil, place); len(refusals) > 0 {
		return refused(refusals...)
	}
	if optedOut {
		return Outcome{Reason: ReasonOptedOut}
	}
	return Outcome{Reason: ReasonNotRequested}
}

// present finds the injected container in a pod that already has it. Anything else under its name is refused; all of it is
// where rendered is nil, and the pod has nothing to set.
func present(p *pod.Pod, rendered func() corev1.Container, place Place) (*reserved, []policy.Refusal) {
	found := reservedContainers(p)
	if len(found) == 1 && found[0].list == "initContainers" && rendered != nil {
		differing := difference(p, found[0].raw, rendered())
		if len(differing) == 0 {
			return &found[0], nil
		}
		return nil, []policy.Refusal{reservedName(found[0], place, "it is not what the pod's annotations ask for: it differs in "+strings.Join(differing, ", "))}
	}
	var refusals []policy.Refusal
	for _, r := range found[:min(len(found), maxRefusals)] {
		refusals = append(refusals, reservedName(r, place, "the name is kept for the init container that sysctl-injector adds"))
	}
	return nil, refusals
}

func reservedName(r reserved, place Place, why string) policy.Refusal {
	path := child(place.Template, "spec").Child(r.list).Index(r.index).Child("name")
	return policy.Refusal{Reason: ReasonReservedName, Err: field.Invalid(path, v1alpha1.ContainerName, why+
		"; remove the container: it is added where annotation "+v1alpha1.SysctlsAnnotation+" asks for it")}
}

// nativeConflicts refuses a sysctl that the pod sets to another value in securityContext.sysctls: one of the two would be
// lost without a word.
func nativeConflicts(p *pod.Pod, settings []policy.Setting) []policy.Refusal {
	var refusals []policy.Refusal
	for _, native := range p.NativeSysctls {
		name, err := sysctl.ParseName(native.Name)
		if err != nil {
			continue // the API server refuses it
		}
		for _, setting := range settings {
			if len(refusals) < maxRefusals && setting.Name == name && setting.Value != strings.Join(strings.Fields(native.Value), " ") {
				refusals = append(refusals, policy.Refusal{Reason: ReasonNativeConflict, Err: field.Invalid(setting.Path, setting.String(),
					fmt.Sprintf("spec.securityContext.sysctls sets %s to %q; remove one of the two", name, native.Value))})
			}
		}
	}
	return refusals
}

// need is what the pod's service account has to be granted.
func need(facts policy.Facts, settings []policy.Setting) *grants.Need {
	names := make([]string, len(settings))
	for n, setting := range settings {
		names[n] = setting.Name
	}
	return &grants.Need{Namespace: facts.Namespace, ServiceAccount: facts.ServiceAccount, Sysctls: names}
}

// UnsafeNativeSysctls returns the sysctls of securityContext.sysctls that Kubernetes counts unsafe, in dot form.
func UnsafeNativeSysctls(p *pod.Pod) []string {
	var names []string
	for _, native := range p.NativeSysctls {
		if name, err := sysctl.ParseName(native.Name); err == nil && sysctl.Lookup(name).SafeSince == "" {
			names = append(names, name)
		}
	}
	return names
}

func (i *Injector) facts(p *pod.Pod, place Place) policy.Facts {
	facts := policy.Facts{
		Namespace:       place.Namespace,
		NamespaceLabels: place.NamespaceLabels,
		ServiceAccount:  p.ServiceAccount(),
		HostNetwork:     p.HostNetwork,
		HostIPC:         p.HostIPC,
		UserNamespace:   !p.HostUsers,
		Windows:         p.OS == string(corev1.Windows),
		Mirror:          p.Mirror,
		Kernel:          policy.KernelOf(place.RuntimeClass, i.guestHandlers),
		RuntimeClass:    p.RuntimeClass,
	}
	if place.RuntimeClass != nil {
		facts.Handler = place.RuntimeClass.Handler
	}
	return facts
}

// Refused is the outcome of a decision that is taken elsewhere.
func Refused(reason string, err *field.Error) Outcome {
	return refused(policy.Refusal{Reason: reason, Err: err})
}

func refused(refusals ...policy.Refusal) Outcome {
	return Outcome{Reason: refusals[0].Reason, Refusals: refusals}
}

func invalidAnnotations(errs field.ErrorList) []policy.Refusal {
	refusals := make([]policy.Refusal, len(errs))
	for n, err := range errs {
		refusals[n] = policy.Refusal{Reason: policy.ReasonInvalidAnnotation, Err: err}
	}
	return refusals
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

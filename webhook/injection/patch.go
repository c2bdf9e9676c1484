package injection

import (
	"encoding/json"
	"slices"
	"strings"

	jsonpatch "gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
	"github.com/sysctl-injector/sysctl-injector/webhook/jsontext"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// inject makes the changes of a plan.
func (i *Injector) inject(p *pod.Pod, plan form.Plan, target Target, facts policy.Facts, settings []policy.Setting,
	defaults []string) Outcome {
	found, elsewhere := reservedContainers(p)
	if len(elsewhere) > 0 {
		return denied(rejectReserved(elsewhere, target)...)
	}
	outcome := Outcome{Reason: ReasonInjected, Warnings: warnings(p, plan, facts, settings)}
	status := Status{
		Version: i.version, Kernel: facts.Kernel, Sysctls: arguments(settings), Defaults: defaults,
		From:   sourcesOf(settings),
		Native: arguments(plan.Native),
	}
	var change enforced
	if plan.Container == nil {
		change = remove(found)
	} else {
		change = enforce(p, plan.Container, arguments(plan.Contained), found)
		status.Form = plan.Form.Name
	}
	if change.replaced != "" {
		outcome.Warnings = append(outcome.Warnings, change.replaced)
	}
	outcome.Grant = grantFor(p, facts, plan)
	native := addNative(p, plan.Native)
	if change.present || plan.Container == nil && len(native) == 0 {
		outcome.Reason = ReasonAlreadyInjected
	}
	outcome.Sysctls = make([]Sysctl, 0, len(settings))
	for _, setting := range settings {
		outcome.Sysctls = append(outcome.Sysctls, Sysctl{setting.Assignment, plan.FormOf(setting.Name).Name})
	}
	var skips []newValue
	var secrets []jsonpatch.Operation
	if plan.Container != nil {
		skips, secrets = skipIdentity(p), i.addPullSecrets(p)
	}
	outcome.Operations = slices.Concat(metadata(p, status.encode(), skips), change.operations, secrets, native)
	return outcome
}

// grantFor returns what a plan needs. From Kubernetes 1.35 on, the guard asks for no grant for IPC names in a user
// namespace. But after an upgrade of the API servers, the guard of the older version is installed until it is rendered
// again, so they always get one. A PodSecurityPolicy has to allow every sysctl that Kubernetes sets, those that the pod
// states itself too.
func grantFor(p *pod.Pod, facts policy.Facts, plan form.Plan) *policy.Grant {
	contained := plan.Contained
	if plan.Form.OnlyReads {
		contained = nil
	}
	if len(contained)+len(plan.Native) == 0 {
		return nil
	}
	grant := &policy.Grant{Namespace: facts.Namespace, ServiceAccount: facts.ServiceAccount,
		Sysctls: namesOf(contained), NativeSysctls: namesOf(plan.Native),
		UserNamespace: plan.Container != nil && plan.Form.UserNamespace}
	for _, name := range NativeSysctls(p) {
		if !slices.Contains(grant.NativeSysctls, name) {
			grant.NativeSysctls = append(grant.NativeSysctls, name)
		}
	}
	return grant
}

func arguments(settings []policy.Setting) []string {
	args := make([]string, len(settings))
	for n, setting := range settings {
		args[n] = setting.String()
	}
	return args
}

// metadata returns the operations of a JSON Patch (RFC 6902) that set the label and all annotations of an injected
// pod, as far as it does not have them already. All operations are written by hand rather than by comparing two pods:
// that would cost more than all the rest of an admission.
func metadata(p *pod.Pod, status string, skips []newValue) []jsonpatch.Operation {
	ops := make([]jsonpatch.Operation, 0, 4)
	if p.Labels[v1alpha1.InjectedLabel] != "true" {
		ops = append(ops, injectedLabel.add(p.HasLabels, "true"))
	}
	// The first annotation makes the map if the pod has none. To make it again would lose that annotation.
	exists := p.HasAnnotations
	if p.Annotations[v1alpha1.StatusAnnotation] != status {
		ops = append(ops, statusAnnotation.add(exists, status))
		exists = true
	}
	for _, skip := range skips {
		ops = append(ops, skip.add(exists, skip.value))
		exists = true
	}
	return ops
}

func (i *Injector) addPullSecrets(p *pod.Pod) []jsonpatch.Operation {
	var missing []corev1.LocalObjectReference
	for _, name := range i.pullSecrets {
		if !slices.Contains(p.PullSecrets, name) {
			missing = append(missing, corev1.LocalObjectReference{Name: name})
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if !p.HasPullSecrets {
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/spec/imagePullSecrets", missing)}
	}
	ops := make([]jsonpatch.Operation, len(missing))
	for n, secret := range missing {
		ops[n] = jsonpatch.NewOperation("add", "/spec/imagePullSecrets/-", secret)
	}
	return ops
}

// rawJSON is a part of a patch that is encoded already.
type rawJSON = json.RawMessage

// entry is one of a map of strings: where the map is, where the entry is in it, and the entry's key.
type entry struct{ mapPath, path, key string }

var (
	injectedLabel    = newEntry("/metadata/labels", v1alpha1.InjectedLabel)
	statusAnnotation = newEntry("/metadata/annotations", v1alpha1.StatusAnnotation)
)

func newEntry(mapPath, key string) entry { return entry{mapPath, mapPath + "/" + escape(key), key} }

// newValue is an entry to set.
type newValue struct {
	entry
	value string
}

// add sets the entry, and makes the map where the pod has none. The value is encoded here: to find out by
// reflection what it is would cost as much again.
func (e entry) add(mapExists bool, value string) jsonpatch.Operation {
	encoded := make(json.RawMessage, 0, len(e.key)+len(value)+64)
	if mapExists {
		return jsonpatch.NewOperation("add", e.path, json.RawMessage(jsontext.AppendString(encoded, value)))
	}
	encoded = jsontext.AppendString(append(encoded, '{'), e.key)
	encoded = jsontext.AppendString(append(encoded, ':'), value)
	return jsonpatch.NewOperation("add", e.mapPath, append(encoded, '}'))
}

// escape writes a key as a JSON Pointer's reference token (RFC 6901, section 3).
func escape(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// identityWebhook gives every container of a pod a cloud identity: variables and a mount. The injected container
// needs none, and may have none. An annotation of the pod names the containers that such a webhook leaves alone.
type identityWebhook struct {
	annotation entry
	separator  string
	// uses reports whether the webhook changes a pod.
	uses func(*pod.Pod) bool
}

// identityWebhooks are known by what they leave in a pod, or look for in it. EKS's webhook looks for the service
// account's role, which is not in the pod. But its name comes before ours, so that a pod has its volume by then; the
// API server asks it again about the container that is added, and it finds the annotation.
var identityWebhooks = []identityWebhook{
	{
		annotation: newEntry("/metadata/annotations", pod.EKSSkipAnnotation),
		separator:  ",",
		uses:       func(p *pod.Pod) bool { return p.HasVolume("aws-iam-token", "eks-pod-identity-token") },
	},
	{
		annotation: newEntry("/metadata/annotations", pod.AzureSkipAnnotation),
		separator:  ";",
		uses:       func(p *pod.Pod) bool { return p.AzureIdentity },
	},
}

// skipIdentity returns the annotations by which the identity webhooks that a pod uses leave the injected container
// alone, as far as the pod does not have them already.
func skipIdentity(p *pod.Pod) []newValue {
	var skips []newValue
	for _, w := range identityWebhooks {
		if !w.uses(p) {
			continue
		}
		listed := strings.TrimSpace(p.SkipAnnotations[w.annotation.key])
		switch {
		case listed == "":
			skips = append(skips, newValue{w.annotation, v1alpha1.ContainerName})
		case !slices.Contains(strings.Split(listed, w.separator), v1alpha1.ContainerName):
			listed = strings.TrimSuffix(listed, w.separator)
			skips = append(skips, newValue{w.annotation, listed + w.separator + v1alpha1.ContainerName})
		}
	}
	return skips
}

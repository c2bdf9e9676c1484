package audit

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/convert"
)

// Namespace is a namespace that admits privileged pods for no other reason than sysctls.
type Namespace struct {
	Name string `json:"name"`
	// Label is the value of pod-security.kubernetes.io/enforce; empty if there is none, which means the cluster's
	// default.
	Label string `json:"label"`
	// Standard is the strictest standard that all its workloads pass without the parts that set sysctls by hand.
	Standard string `json:"standard"`
	// Converts is set if convert removes all those parts.
	Converts bool `json:"converts"`
}

// namespace holds what an audit needs to know about a namespace.
type namespace struct {
	labels        map[string]string
	known         bool // whether the labels are known
	byHand, stays bool
	// fails holds the standards that a workload fails even without the parts that set sysctls by hand.
	failsBaseline, failsRestricted bool
}

func (a *Auditor) namespace(name string) *namespace {
	if a.namespaces[name] == nil {
		a.namespaces[name] = &namespace{}
	}
	return a.namespaces[name]
}

// AddNamespace adds the labels of a namespace.
func (a *Auditor) AddNamespace(name string, labels map[string]string) {
	n := a.namespace(name)
	n.labels, n.known = labels, true
}

// judge updates a namespace with the result of one of its workloads.
func (a *Auditor) judge(w Workload, f *Finding, result *convert.Result) {
	n := a.namespace(w.Namespace)
	rest := withoutSysctls(*w.Template, result)
	fails := func(level psaapi.Level) bool {
		checks := a.evaluator.EvaluatePod(psaapi.LevelVersion{Level: level, Version: a.standards},
			&rest.ObjectMeta, &rest.Spec)
		return !psapolicy.AggregateCheckResults(checks).Allowed
	}
	n.byHand = n.byHand || f.isByHand()
	n.stays = n.stays || f.isByHand() && f.Verdict != Converts
	n.failsBaseline = n.failsBaseline || fails(psaapi.LevelBaseline)
	n.failsRestricted = n.failsRestricted || fails(psaapi.LevelRestricted)
}

// withoutSysctls returns a pod template without the parts that set sysctls by hand.
func withoutSysctls(template corev1.PodTemplateSpec, result *convert.Result) corev1.PodTemplateSpec {
	spec := &template.Spec
	template.Annotations = maps.Clone(template.Annotations)
	var gone, native []int
	for _, f := range result.Findings {
		switch f.List {
		case convert.InitContainers:
			gone = append(gone, f.Index)
		case convert.NativeSysctls:
			native = append(native, f.Index)
		}
	}
	var kept []corev1.Container
	for i, c := range spec.InitContainers {
		if !slices.Contains(gone, i) && c.Name != v1alpha1.ContainerName {
			kept = append(kept, c)
			continue
		}
		delete(template.Annotations, corev1.DeprecatedAppArmorBetaContainerAnnotationKeyPrefix+c.Name)
	}
	spec.InitContainers = kept
	if spec.SecurityContext != nil {
		context := *spec.SecurityContext
		context.Sysctls = slices.Clone(context.Sysctls)
		for _, i := range slices.Backward(native) {
			context.Sysctls = slices.Delete(context.Sysctls, i, i+1)
		}
		spec.SecurityContext = &context
	}
	return template
}

// report returns the namespace if only sysctls keep it open; nil otherwise.
func (n *namespace) report(name string) *Namespace {
	label, isSet := n.labels[psaapi.EnforceLevelLabel]
	isOpen := n.known && (!isSet || label == string(psaapi.LevelPrivileged))
	_, opted := n.labels[v1alpha1.InjectLabel]
	_, held := n.labels[v1alpha1.EnforceLabel]
	if !isOpen || opted || held || !n.byHand || n.failsBaseline {
		return nil
	}
	standard := psaapi.LevelRestricted
	if n.failsRestricted {
		standard = psaapi.LevelBaseline
	}
	return &Namespace{Name: name, Label: label, Standard: string(standard), Converts: !n.stays}
}

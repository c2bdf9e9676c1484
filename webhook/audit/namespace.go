package audit

import (
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
	spec := withoutSysctls(w.Template.Spec, result)
	fails := func(level psaapi.Level) bool {
		checks := a.evaluator.EvaluatePod(psaapi.LevelVersion{Level: level, Version: a.standards},
			&w.Template.ObjectMeta, &spec)
		return !psapolicy.AggregateCheckResults(checks).Allowed
	}
	n.byHand = n.byHand || len(f.Containers)+len(f.Native) > 0
	n.stays = n.stays || f.Verdict != Converts
	n.failsBaseline = n.failsBaseline || fails(psaapi.LevelBaseline)
	n.failsRestricted = n.failsRestricted || fails(psaapi.LevelRestricted)
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

// Package audit finds the workloads of a cluster that set sysctls by hand, how convert would change them, and the
// namespaces that are open to privileged pods for no other reason. It calls no server: the caller passes one workload
// after the other, and the package keeps only its findings.
package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"

	"github.com/sysctl-injector/sysctl-injector/webhook/convert"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

// Workload is an object that creates pods, or a pod without a known owner.
type Workload struct {
	Namespace, Kind, Name string
	// Shared is set for pods of a custom resource: several of them have its kind and name. Those that set the same
	// sysctls count as one. convert does not change them.
	Shared   bool
	Template *corev1.PodTemplateSpec
	// Guest is set if the pods have their own kernel.
	Guest bool
}

// Rejection returns why convert would leave a workload, for example because the webhook would reject its pods; "" if
// convert would change it. The pod is one after the conversion, and the labels are the namespace's.
type Rejection func(w Workload, labels map[string]string, pod []byte) string

// The conversion of a workload.
const (
	Converts = "converts" // nothing stays by hand
	Partly   = "partly"
	Stays    = "stays"
)

// Finding is a workload that sets sysctls without the annotation.
type Finding struct {
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	// Pods counts the pods of a custom resource; 0 for other kinds.
	Pods       int         `json:"pods,omitempty"`
	Containers []Container `json:"containers,omitempty"`
	// Native are the entries of securityContext.sysctls that kubelets reject unless a flag allows them.
	Native []Native `json:"native,omitempty"`
	// Annotation are the lines that convert adds, with --native. For the pods of a custom resource, a person adds them.
	Annotation []string `json:"annotation,omitempty"`
	// Verdict is Converts, Partly or Stays: the outcome of convert --native.
	Verdict string `json:"verdict"`
}

// Container is a container that sets sysctls, or may.
type Container struct {
	Path string `json:"path"` // within the pod's spec
	Name string `json:"name"`
	// Sets are the sysctls that the container sets, as far as the package understands its commands.
	Sets     []string `json:"sets,omitempty"`
	Converts bool     `json:"converts"`
	// Manual is set if only the custom resource that creates the pods prevents the conversion.
	Manual bool `json:"manual,omitempty"`
	// Notes are about single lines, such as a line that never had an effect.
	Notes []string `json:"notes,omitempty"`
	// Reasons are why it stays.
	Reasons []string `json:"reasons,omitempty"`
}

// Native is a native sysctl.
type Native struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Converts is set if `convert --native` turns it into a line of the annotation.
	Converts bool `json:"converts"`
	// Manual is set if only the custom resource that creates the pods prevents that.
	Manual bool `json:"manual,omitempty"`
	// Reasons are why it stays.
	Reasons []string `json:"reasons,omitempty"`
}

// Auditor collects findings.
type Auditor struct {
	evaluator  psapolicy.Evaluator
	standards  psaapi.Version
	rejection  Rejection
	isAllowed  func(name string) bool
	namespaces map[string]*namespace
	findings   []*Finding
	shared     map[string]*counted // by what they are and set
	counts     Counts
}

// counted is one workload in the counts.
type counted struct {
	finding   *Finding
	annotated bool
}

// New returns an empty Auditor. isAllowed reports whether all kubelets allow a native sysctl, and standards is the
// version of the Pod Security Standards that the cluster has.
func New(rejection Rejection, isAllowed func(name string) bool, standards psaapi.Version) (*Auditor, error) {
	evaluator, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)
	if err != nil {
		return nil, fmt.Errorf("load Pod Security's checks: %w", err)
	}
	return &Auditor{
		evaluator: evaluator, standards: standards, rejection: rejection, isAllowed: isAllowed,
		namespaces: map[string]*namespace{}, shared: map[string]*counted{},
	}, nil
}

// Add audits a workload.
func (a *Auditor) Add(w Workload) error {
	raw, err := json.Marshal(w.Template)
	if err != nil {
		return err
	}
	result, err := convert.Inspect(raw, convert.Kernel{Guest: w.Guest})
	if err != nil {
		return fmt.Errorf("%s %s/%s: %w", w.Kind, w.Namespace, w.Name, err)
	}
	result.MoveNative(convert.Kernel{Guest: w.Guest}, a.isAllowed, func(string) bool { return false })
	p, err := pod.FromTyped(&corev1.Pod{ObjectMeta: w.Template.ObjectMeta, Spec: w.Template.Spec})
	if err != nil {
		return err
	}
	rejected, err := a.rejected(w, raw, result)
	if err != nil {
		return err
	}
	f := findingOf(w, result, rejected)
	a.judge(w, f, result)
	a.count(w, f, p.AsksForSysctls())
	return nil
}

// count counts a workload, and keeps its finding.
func (a *Auditor) count(w Workload, f *Finding, asks bool) {
	one := &counted{finding: f}
	if w.Shared {
		key := fmt.Sprintf("%q", []any{f.Namespace, f.Kind, f.Name, f.Containers, f.Native})
		if a.shared[key] == nil {
			a.shared[key] = one
		}
		one = a.shared[key]
		one.finding.Pods++
	}
	if one.finding == f {
		a.counts.Workloads++
		if f.isByHand() {
			a.findings = append(a.findings, f)
		}
	}
	if asks && !one.annotated {
		a.counts.Annotated++
		one.annotated = true
	}
}

func (f *Finding) isByHand() bool { return len(f.Containers)+len(f.Native) > 0 }

// rejected returns why convert leaves a workload although it understands all of it: the webhook would reject the
// result.
func (a *Auditor) rejected(w Workload, raw []byte, result *convert.Result) (string, error) {
	if !result.Changes() {
		return "", nil
	}
	converted, err := result.Apply(raw)
	if err != nil {
		return "", fmt.Errorf("%s %s/%s: %w", w.Kind, w.Namespace, w.Name, err)
	}
	return a.rejection(w, a.namespace(w.Namespace).labels, converted), nil
}

// ofCustomResource is why the pods of a custom resource do not convert.
const ofCustomResource = "a custom resource creates these pods: change it by hand"

func findingOf(w Workload, result *convert.Result, rejected string) *Finding {
	f := &Finding{Namespace: w.Namespace, Kind: w.Kind, Name: w.Name, Verdict: Converts}
	stays, isManual := rejected, false
	if w.Shared && rejected == "" {
		stays, isManual = ofCustomResource, true
	}
	converted := 0
	for _, found := range result.Findings {
		if found.Converts() && stays == "" {
			converted++
		}
		if found.List == convert.NativeSysctls {
			f.Native = append(f.Native, nativeOf(found, stays, isManual))
			continue
		}
		c := Container{
			Path:     fmt.Sprintf("%s[%d]", found.List, found.Index),
			Name:     found.Name,
			Converts: found.Converts(),
		}
		for _, assignment := range found.Assignments {
			c.Sets = append(c.Sets, assignment.String())
		}
		for _, note := range found.Notes {
			switch {
			case len(found.Assignments) == 0:
				c.Sets = append(c.Sets, note.Text)
			case !slices.Contains(c.Sets, note.Text):
				c.Notes = append(c.Notes, atLine(note.Line, note.Text))
			}
		}
		for _, problem := range found.Problems {
			c.Reasons = append(c.Reasons, atLine(problem.Line, problem.Reason))
		}
		if c.Converts && stays != "" {
			c.Converts, c.Manual, c.Reasons = false, isManual, []string{stays}
		}
		f.Containers = append(f.Containers, c)
	}
	for _, assignment := range result.Assignments {
		if rejected == "" {
			f.Annotation = append(f.Annotation, assignment.String())
		}
	}
	switch {
	case converted == 0:
		f.Verdict = Stays
	case converted < len(result.Findings):
		f.Verdict = Partly
	}
	return f
}

func nativeOf(found convert.Finding, stays string, isManual bool) Native {
	n := Native{Name: found.Name, Value: found.Assignments[0].Value, Converts: found.Converts()}
	for _, problem := range found.Problems {
		n.Reasons = append(n.Reasons, problem.Reason)
	}
	if n.Converts && stays != "" {
		n.Converts, n.Manual, n.Reasons = false, isManual, []string{stays}
	}
	return n
}

// atLine prefixes a text with the line of a script; 0 means no line.
func atLine(line int, text string) string {
	if line == 0 {
		return text
	}
	return fmt.Sprintf("line %d: %s", line, text)
}

func byName(a, b *Finding) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind),
		strings.Compare(a.Name, b.Name))
}

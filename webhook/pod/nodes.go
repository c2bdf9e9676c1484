package pod

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/scan"
)

// windows is the value of the label kubernetes.io/os on Windows nodes.
const windows = string(corev1.Windows)

// isOSLabel reports whether a node label names the operating system. Some manifests still have the label's old name.
func isOSLabel(key string) bool {
	return key == corev1.LabelOSStable || key == "beta.kubernetes.io/os"
}

// nodeTerm is one of the terms of a pod's required node affinity. A node has to match one of them.
type nodeTerm struct{ windows bool }

// nodeExpression is one of the expressions of a term. A node has to match all of them.
type nodeExpression struct {
	key, operator string
	values        []string
}

// windowsOnly reports whether no Linux node matches.
func (e nodeExpression) windowsOnly() bool {
	if !isOSLabel(e.key) {
		return false
	}
	switch corev1.NodeSelectorOperator(e.operator) {
	case corev1.NodeSelectorOpIn:
		return len(e.values) > 0 && !slices.ContainsFunc(e.values, func(os string) bool { return os != windows })
	case corev1.NodeSelectorOpNotIn:
		return slices.Contains(e.values, string(corev1.Linux))
	}
	return false
}

func allWindows(terms []nodeTerm) bool {
	return len(terms) > 0 && !slices.ContainsFunc(terms, func(t nodeTerm) bool { return !t.windows })
}

// SelectsWindows reports whether a node selector selects Windows nodes.
func SelectsWindows(nodeSelector map[string]string) bool {
	for key, value := range nodeSelector {
		if isOSLabel(key) && value == windows {
			return true
		}
	}
	return false
}

// selectsWindows reads what FromTyped needs from a typed pod.
func selectsWindows(spec *corev1.PodSpec) (selector, affinity bool) {
	selector = SelectsWindows(spec.NodeSelector)
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil {
		return selector, false
	}
	required := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return selector, false
	}
	var terms []nodeTerm
	for _, typed := range required.NodeSelectorTerms {
		terms = append(terms, nodeTerm{slices.ContainsFunc(typed.MatchExpressions,
			func(e corev1.NodeSelectorRequirement) bool {
				return nodeExpression{e.Key, string(e.Operator), e.Values}.windowsOnly()
			})})
	}
	return selector, allWindows(terms)
}

func readNodeSelector(p *Pod, c *scan.Cursor) {
	c.Map(func(key []byte) {
		if isOSLabel(string(key)) {
			p.NodeSelectorWindows = c.Text("linux", windows) == windows || p.NodeSelectorWindows
			return
		}
		c.Skip()
	})
}

func readNodeTerms(p *Pod, c *scan.Cursor) {
	var terms []nodeTerm
	c.Each(func() {
		var term nodeTerm
		readNodeTerm(&term, c)
		terms = append(terms, term)
	})
	p.NodeAffinityWindows = allWindows(terms)
}

var readNodeTerm = scan.Object(scan.Fields[nodeTerm]{
	"matchExpressions": func(term *nodeTerm, c *scan.Cursor) {
		c.Each(func() {
			var e nodeExpression
			readNodeExpression(&e, c)
			term.windows = term.windows || e.windowsOnly()
		})
	},
})

var readNodeExpression = scan.Object(scan.Fields[nodeExpression]{
	"key":      scan.Text(func(e *nodeExpression) *string { return &e.key }),
	"operator": scan.Text(func(e *nodeExpression) *string { return &e.operator }),
	"values":   scan.Texts(func(e *nodeExpression) *[]string { return &e.values }),
})

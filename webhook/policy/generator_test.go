package policy

import (
	"fmt"
	"math/rand/v2"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// generator makes policies and pods of few words, so that they often meet.
type generator struct{ *rand.Rand }

var (
	labelKeys   = []string{"kubernetes.io/metadata.name", "team", "stage"}
	labelValues = []string{"", "a", "b", "c"}
	accounts    = []string{"default", "web", "batch"}
	patterns    = []string{"*", "n*", "net.*", "net.core.*", "net.ipv4.tcp_*", "net.core.somaxconn", "net.core.somaxconn*", "net/ipv4/tcp_rmem", "kernel.shm*", "kernel.sem"}
	wantedNames = []string{"net.core.somaxconn", "net.core.somaxconn2", "net.ipv4.tcp_rmem", "net.ipv4.tcp_fin_timeout", "kernel.sem", "kernel.shmmax"}
	values      = []string{"0", "5", "50", "-3", "1 2 3", "1 200", "010", "bbr", "18446744073692774399", "-18446744073692774399"}
)

func (g generator) one(of []string) string { return of[g.IntN(len(of))] }

func (g generator) some(of []string, least, most int) []string {
	picked := make([]string, least+g.IntN(most-least+1))
	for i := range picked {
		picked[i] = g.one(of)
	}
	return picked
}

// oneIn is true once in n times.
func (g generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func (g generator) policy(n int) *v1alpha1.SysctlPolicy {
	object := policyNamed(fmt.Sprintf("policy-%d-%d", g.IntN(100), n))
	spec := &object.Spec
	if g.oneIn(2) {
		spec.NamespaceSelector.MatchLabels = map[string]string{}
		for _, key := range g.some(labelKeys, 1, 2) {
			spec.NamespaceSelector.MatchLabels[key] = g.one(labelValues)
		}
	}
	for range g.IntN(3) {
		e := metav1.LabelSelectorRequirement{Key: g.one(labelKeys), Operator: metav1.LabelSelectorOpIn, Values: g.some(labelValues, 1, 4)}
		switch g.IntN(6) {
		case 0:
			e.Operator = metav1.LabelSelectorOpNotIn
		case 1:
			e.Operator, e.Values = metav1.LabelSelectorOpExists, nil
		case 2:
			e.Operator, e.Values = metav1.LabelSelectorOpDoesNotExist, nil
		}
		spec.NamespaceSelector.MatchExpressions = append(spec.NamespaceSelector.MatchExpressions, e)
	}
	switch g.IntN(20) {
	case 0: // more than are filed
		spec.ServiceAccountNames = g.some(accounts, mostFilings, mostFilings)
	case 1, 2, 3, 4, 5:
		spec.ServiceAccountNames = g.some(accounts, 1, 3)
	}
	for range 1 + g.IntN(3) {
		spec.Allow = append(spec.Allow, g.rule())
	}
	return object
}

func (g generator) rule() v1alpha1.AllowRule {
	rule := v1alpha1.AllowRule{Names: g.some(patterns, 1, 4)}
	if g.oneIn(3) {
		rule.Kernels = []v1alpha1.Kernel{g.kernel()}
	}
	if g.oneIn(4) {
		rule.Min = new(int64(g.IntN(10) - 5))
	}
	if g.oneIn(4) {
		rule.Max = new(int64(5 + g.IntN(100)))
	}
	if g.oneIn(4) {
		rule.OneOf = []string{g.one(values)}
	}
	return rule
}

func (g generator) kernel() v1alpha1.Kernel {
	if g.oneIn(3) {
		return v1alpha1.GuestKernel
	}
	return v1alpha1.SharedKernel
}

func (g generator) facts() Facts {
	facts := Facts{Namespace: "shop", ServiceAccount: g.one(accounts), Kernel: g.kernel()}
	if !g.oneIn(8) {
		facts.NamespaceLabels = map[string]string{}
		for _, key := range g.some(labelKeys, 0, 5) {
			facts.NamespaceLabels[key] = g.one(labelValues)
		}
	}
	return facts
}

func (g generator) assignment() sysctl.Assignment {
	return sysctl.Assignment{Name: g.one(wantedNames), Value: g.one(values), Line: 1}
}

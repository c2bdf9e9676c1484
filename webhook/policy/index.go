package policy

import (
	"slices"

	"k8s.io/apimachinery/pkg/selection"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// index finds the rules that could allow a pod a sysctl, so that a decision does not cost as there are policies. It may find too
// many: each rule is judged as if there were no index, and a mistake here could only refuse.
type index struct {
	rules     []*allowRule // of the policies by name, and of each policy as written; a rule's place is its number here
	always    *drawer      // of policies that require nothing
	requiring map[requirement]*drawer
}

// requirement is a label that a policy requires of a namespace or, without a key, a service account that it requires of a pod.
type requirement struct{ key, value string }

// mostFilings is how often a policy may be filed, so that the index does not outgrow the policies: one that lists a thousand
// namespaces and a thousand names is filed under its names only.
const mostFilings = 1000

func newIndex(policies []*Policy) *index {
	sharers := map[requirement]int{}
	for _, p := range policies {
		for _, oneOf := range p.requires {
			for _, r := range oneOf {
				sharers[r]++
			}
		}
	}
	x := &index{always: newDrawer(), requiring: map[requirement]*drawer{}}
	for _, p := range policies {
		drawers := x.drawersFor(rarest(p.requires, sharers))
		for i := range p.rules {
			for _, d := range drawers {
				d.file(p.rules[i].patterns, len(x.rules))
			}
			x.rules = append(x.rules, &p.rules[i])
		}
	}
	return x
}

func (x *index) drawersFor(oneOf []requirement) []*drawer {
	if len(oneOf) == 0 {
		return []*drawer{x.always}
	}
	drawers := make([]*drawer, len(oneOf))
	for i, r := range oneOf {
		if x.requiring[r] == nil {
			x.requiring[r] = newDrawer()
		}
		drawers[i] = x.requiring[r]
	}
	return drawers
}

// rarest returns what the fewest policies share of all that one requires: a namespace's name sooner than a stage that is everywhere.
func rarest(requires [][]requirement, sharers map[requirement]int) []requirement {
	var best []requirement
	fewest := 0
	for _, oneOf := range requires {
		shared := 0
		for _, r := range oneOf {
			shared += sharers[r]
		}
		if best == nil || shared < fewest {
			best, fewest = oneOf, shared
		}
	}
	return best
}

// open appends the drawers in which rules for a pod are.
func (x *index) open(facts Facts, drawers []*drawer) []*drawer {
	drawers = append(drawers, x.always)
	if len(x.requiring) == 0 {
		return drawers
	}
	if d := x.requiring[requirement{value: facts.ServiceAccount}]; d != nil {
		drawers = append(drawers, d)
	}
	for key, value := range facts.NamespaceLabels {
		if d := x.requiring[requirement{key, value}]; d != nil {
			drawers = append(drawers, d)
		}
	}
	return drawers
}

// requirementsOf reads what a policy cannot do without: each element is one of which a pod has to meet one.
func requirementsOf(p *Policy) [][]requirement {
	patterns := 0
	for _, r := range p.rules {
		patterns += len(r.patterns)
	}
	var all [][]requirement
	add := func(key string, values []string) {
		if len(values) == 0 || len(values)*patterns > mostFilings {
			return
		}
		oneOf := make([]requirement, len(values))
		for i, value := range values {
			oneOf[i] = requirement{key, value}
		}
		all = append(all, oneOf)
	}
	labels, _ := p.namespaces.Requirements()
	for _, l := range labels {
		switch l.Operator() {
		case selection.In, selection.Equals, selection.DoubleEquals:
			add(l.Key(), l.ValuesUnsorted())
		}
	}
	add("", p.serviceAccounts)
	return all
}

// drawer has the places of rules filed under their patterns.
type drawer struct {
	names, prefixes map[string][]int
	lengths         []int // of the prefixes, each once
}

func newDrawer() *drawer { return &drawer{names: map[string][]int{}, prefixes: map[string][]int{}} }

// file takes places in ascending order.
func (d *drawer) file(patterns []sysctl.Pattern, place int) {
	for _, pattern := range patterns {
		under, text := d.names, pattern.String()
		if prefix, ok := pattern.Prefix(); ok {
			under, text = d.prefixes, prefix
			if !slices.Contains(d.lengths, len(prefix)) {
				d.lengths = append(d.lengths, len(prefix))
			}
		}
		if filed := under[text]; len(filed) == 0 || filed[len(filed)-1] != place {
			under[text] = append(filed, place)
		}
	}
}

// each goes through the places of the rules that name a sysctl, until visit says no. A rule may come more than once.
func (d *drawer) each(name string, visit func(place int) bool) bool {
	for _, place := range d.names[name] {
		if !visit(place) {
			return false
		}
	}
	for _, length := range d.lengths {
		if length > len(name) {
			continue
		}
		for _, place := range d.prefixes[name[:length]] {
			if !visit(place) {
				return false
			}
		}
	}
	return true
}

package convert

import (
	"fmt"
	"slices"
	"strings"
)

// Assignment is a line of the annotation.
type Assignment struct {
	Name, Value string
	// AtLeast is set if the value is only raised.
	AtLeast bool
	// Optional is set if a kernel may lack the name.
	Optional bool
	// Line is the line of the script, counted from 1. It is 0 if there is no script.
	Line int
}

// String returns the line for the annotation.
func (a Assignment) String() string {
	operator := " = "
	if a.AtLeast {
		operator = " >= "
	}
	if a.Optional {
		return "-" + a.Name + operator + a.Value
	}
	return a.Name + operator + a.Value
}

// model returns assignments with the same effect as the script on every path, or the problems that prevent this.
func (s *setting) model(paths []*run) ([]Assignment, []Problem) {
	longest := paths[0]
	for _, p := range paths {
		if len(p.last()) > len(longest.last()) {
			longest = p
		}
	}
	var assignments []Assignment
	var problems []Problem
	for _, a := range longest.last() {
		assignment, problem := assignmentFor(a, paths)
		if problem != "" {
			problems = append(problems, Problem{a.line, problem})
			continue
		}
		assignments = append(assignments, assignment)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	for i, a := range assignments {
		assignments[i].Optional = slices.ContainsFunc(paths,
			func(p *run) bool { return p.status == 0 && p.lacks(a.Name) })
	}
	for _, p := range paths {
		if problem := disagreement(assignments, p); problem != "" {
			return nil, []Problem{{0, problem}}
		}
	}
	return assignments, s.interplay(paths)
}

// assignmentFor returns the assignment for a name, with the condition under which the script sets it, or a problem.
func assignmentFor(a attempt, paths []*run) (Assignment, string) {
	always := Assignment{Name: a.name, Value: a.value, Line: a.line}
	var conditions []choice
	for _, p := range paths {
		for _, c := range p.choices.order {
			if c.isCondition() && c.name == a.name && !slices.Contains(conditions, c) {
				conditions = append(conditions, c)
			}
		}
	}
	if len(conditions) == 0 {
		return always, ""
	}
	if len(conditions) > 1 {
		return always, a.name + " is compared with more than one value"
	}
	condition := conditions[0]
	value, ok := number(a.value)
	switch {
	case everyPathSets(paths, a.name):
		return always, ""
	case !ok:
		return always, a.name + " is compared with a number, but is not set to a number"
	case condition.kind == isEqual && value == condition.limit:
		return always, "" // setting the same value again changes nothing
	case condition.kind == isBelow && (value == condition.limit || value == condition.limit-1):
		always.AtLeast = true
		return always, ""
	case condition.kind == isEqual:
		return always, fmt.Sprintf("%s is compared with %d, and set to %s", a.name, condition.limit, a.value)
	}
	return always, fmt.Sprintf("%s is set to %s if it is lower than %d, which neither = nor >= can express",
		a.name, a.value, condition.limit)
}

func everyPathSets(paths []*run, name string) bool {
	for _, p := range paths {
		if !isWritten(p.attempts, name) {
			return false
		}
	}
	return true
}

// disagreement compares the writes of a path with those of the assignments. It returns "" if they have the same effect.
func disagreement(assignments []Assignment, p *run) string {
	fails := slices.ContainsFunc(assignments, func(a Assignment) bool { return !a.Optional && p.lacks(a.Name) })
	switch {
	case fails && p.status == 0:
		return "whether the script fails depends on which of several sysctls the node lacks"
	case fails:
		return "" // neither pod starts
	case p.status != 0 && p.didSucceed():
		return "the script fails if its condition does not hold, so such a pod never starts; " +
			"if pods do start, find out what differs"
	case p.status != 0:
		return "" // the kubelet restarts a failed init container
	}
	var want []string
	for _, a := range assignments {
		if !a.holdsBefore(p) && !p.lacks(a.Name) {
			want = append(want, a.Name+"="+a.Value)
		}
	}
	var got []string
	for _, a := range p.last() {
		if !(Assignment{Name: a.name, Value: a.value}).isRedundant(assignments, p) {
			got = append(got, a.name+"="+a.value)
		}
	}
	if !slices.Equal(want, got) {
		return "the effect of the script depends on more than the value that it raises" + p.because()
	}
	return ""
}

// lacks reports whether a path assumes that the node lacks a name.
func (p *run) lacks(name string) bool {
	has, asked := p.choices.answers[choice{kind: exists, name: name}]
	return asked && !has
}

// holdsBefore reports whether an assignment changes nothing on a path, because the path assumes that the sysctl already
// has the value.
func (a Assignment) holdsBefore(p *run) bool {
	for c, answer := range p.choices.answers {
		if c.name != a.Name || !c.isCondition() {
			continue
		}
		if c.kind == isBelow && a.AtLeast && !answer ||
			c.kind == isEqual && answer && a.Value == fmt.Sprint(c.limit) {
			return true
		}
	}
	return false
}

// isRedundant reports whether a path sets a value that the sysctl already has.
func (a Assignment) isRedundant(assignments []Assignment, p *run) bool {
	for _, known := range assignments {
		if known.Name == a.Name && known.Value == a.Value && !known.AtLeast {
			return known.holdsBefore(p)
		}
	}
	return false
}

// didSucceed reports whether every command that may fail succeeds on a path.
func (p *run) didSucceed() bool {
	for c, answer := range p.choices.answers {
		if c.kind == succeeds && !answer {
			return false
		}
	}
	return true
}

// because names a choice that decides the effect on a path.
func (p *run) because() string {
	for _, c := range p.choices.order {
		if c.kind == succeeds && !p.choices.answers[c] {
			return fmt.Sprintf(", for example on whether %q succeeds", c.name)
		}
		if c.kind == countsReadOnly {
			return ", for example on how the version of procps handles a read-only name"
		}
		if c.kind == isBusybox {
			return ", for example on whether the sysctl command is that of busybox or of procps"
		}
	}
	return ""
}

// related are groups of names whose writes change each other, so that no write may be dropped.
var related = []func(string) bool{
	func(name string) bool {
		return name == "net.ipv4.ip_forward" || strings.HasPrefix(name, "net.ipv4.conf.") ||
			strings.HasPrefix(name, "net.ipv6.conf.")
	},
	func(name string) bool {
		return name == "net.ipv4.ip_local_port_range" || name == "net.ipv4.ip_unprivileged_port_start" ||
			name == "net.ipv4.ip_local_reserved_ports"
	},
	func(name string) bool { return strings.Contains(name, ".neigh.") },
	func(name string) bool { return strings.HasSuffix(name, "congestion_control") },
}

// interplay returns a problem for a name that is set twice and whose first write may matter: it changes other names,
// the kernel may reject it, or the second write does not replace the whole value.
func (s *setting) interplay(paths []*run) []Problem {
	for _, p := range paths {
		for i, a := range p.attempts {
			if a.outcome != wrote || !isWritten(p.attempts[i+1:], a.name) {
				continue
			}
			if isRelated(a.name) {
				return []Problem{{a.line, a.name + " is set twice, and the first write may change other names"}}
			}
			if !s.takesEverywhere(a.name, a.value) || !s.takesEverywhere(a.name, p.lastValue(a.name)) {
				return []Problem{{a.line,
					a.name + " is set twice, and it is not known whether every kernel takes both values"}}
			}
		}
	}
	return nil
}

// lastValue returns the last value that was written to a name.
func (p *run) lastValue(name string) string {
	for _, a := range slices.Backward(p.attempts) {
		if a.name == name && a.outcome == wrote {
			return a.value
		}
	}
	return ""
}

func isRelated(name string) bool {
	return slices.ContainsFunc(related, func(matches func(string) bool) bool { return matches(name) })
}

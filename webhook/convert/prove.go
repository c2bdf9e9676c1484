package convert

import "fmt"

// doubts returns the failures that could happen on a path. The script must fail at each of them, because a pod with the
// annotation would not start either.
func (s *setting) doubts(p *run) []doubt {
	var all []doubt
	for i, a := range p.attempts {
		if a.outcome != wrote {
			continue
		}
		if a.isNew || !s.existsEverywhere(a.name) && !s.isOfModule(a.name) {
			all = append(all, doubt{doubtAttempt, i, missing})
		}
		if !s.takesEverywhere(a.name, a.value) {
			all = append(all, doubt{doubtAttempt, i, rejected})
		}
	}
	if p.usesTool && (!s.image.busybox || p.installed || p.namesToolByPath) {
		all = append(all, doubt{kind: doubtTool})
	}
	if s.mayFail {
		all = append(all, doubt{kind: doubtRights})
	}
	return all
}

// hidden returns a problem for each failure that the script ignores.
func (s *setting) hidden(p *run, start starter) []Problem {
	var problems []Problem
	for _, d := range s.doubts(p) {
		if !p.failsWith(d, start) {
			problems = append(problems, s.hides(p, d))
		}
	}
	return problems
}

func (s *setting) hides(p *run, d doubt) Problem {
	const goesOn = "the script continues silently, but a pod with the annotation would not start"
	switch d.kind {
	case doubtTool:
		return Problem{0, "if the image has no sysctl command, " + goesOn}
	case doubtRights:
		return Problem{0, "it is not certain that the container may write /proc/sys (its user may not be root, " +
			"or something confines it); if it may not, " + goesOn}
	}
	a := p.attempts[d.attempt]
	if a.isNew {
		return Problem{a.line, "the sysctl command of this image may be too old for -q, or for a value without -w; " +
			"if so, " + goesOn}
	}
	if d.outcome == missing {
		return Problem{a.line, fmt.Sprintf("not every node has %s; where it is missing, %s", a.name, goesOn)}
	}
	return Problem{a.line, fmt.Sprintf("it is not known whether every kernel takes %s = %s; if one does not, %s",
		a.name, a.value, goesOn)}
}

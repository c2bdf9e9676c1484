package convert

import "maps"

// choice is something that a script decides by and that is not known before it runs.
type choice struct {
	kind  choiceKind
	name  string // the sysctl, or the command
	limit int64  // that the sysctl is compared with
}

type choiceKind int

const (
	isBelow        choiceKind = iota // the sysctl's value is lower than limit when the script starts
	isEqual                          // it is equal to limit
	isBusybox                        // the sysctl command is busybox's, not procps'
	succeeds                         // a command without an effect on sysctls succeeds
	exists                           // the kernel of the node has the sysctl, which a module provides
	countsReadOnly                   // the sysctl command ends with an error after a name that is read-only
)

func (c choice) isCondition() bool { return c.kind == isBelow || c.kind == isEqual }

// chooser answers choices in the order in which a run meets them. The same choice has the same answer throughout a
// run.
type chooser struct {
	answers map[choice]bool
	order   []choice
	given   []bool // for the first choices; true for those after them
}

func (r *run) choose(c choice) bool {
	answer, ok := r.choices.answers[c]
	if !ok {
		answer = true
		if n := len(r.choices.order); n < len(r.choices.given) {
			answer = r.choices.given[n]
		}
		r.choices.answers[c] = answer
		r.choices.order = append(r.choices.order, c)
	}
	return answer
}

// The ways through a script that are looked at. One with problems stays anyway; the others are for the report.
const (
	maxPaths            = 1024
	maxPathsWithProblem = 64
)

// explore takes every way through a script on which the answers known hold. complete is unset if there are too many.
func explore(known map[choice]bool, start func(*chooser) *run) (paths []*run, complete bool) {
	return exploreSome(maxPaths, known, start)
}

// exploreSome takes some of the ways through a script.
func exploreSome(most int, known map[choice]bool, start func(*chooser) *run) (paths []*run, complete bool) {
	var given []bool
	for len(paths) < most {
		c := &chooser{answers: map[choice]bool{}, given: given}
		maps.Copy(c.answers, known)
		paths = append(paths, start(c))
		if len(paths) >= maxPathsWithProblem && len(paths[0].problems) > 0 {
			return paths, true
		}
		given = given[:0:0]
		for _, met := range c.order {
			given = append(given, c.answers[met])
		}
		for len(given) > 0 && !given[len(given)-1] {
			given = given[:len(given)-1]
		}
		if len(given) == 0 {
			return paths, true
		}
		given[len(given)-1] = false
	}
	return paths, false
}

// failsWith reports whether a path ends with an error if a doubt comes true.
func (p *run) failsWith(d doubt, start starter) bool {
	paths, complete := explore(p.choices.answers, func(c *chooser) *run { return start(c, d) })
	for _, repeated := range paths {
		if repeated.status == 0 || len(repeated.problems) > 0 {
			return false
		}
	}
	return complete
}

// last returns what the script has set in the end: for each name the last value, in the order of these last writes.
func (p *run) last() []attempt {
	var all []attempt
	for i, a := range p.attempts {
		if a.outcome != wrote || isWrittenAfter(p.attempts[i+1:], a.name) {
			continue
		}
		all = append(all, a)
	}
	return all
}

func isWrittenAfter(attempts []attempt, name string) bool {
	for _, a := range attempts {
		if a.name == name && a.outcome == wrote {
			return true
		}
	}
	return false
}

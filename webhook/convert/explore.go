package convert

import "maps"

// choice is a yes-or-no question that decides how a script continues, and whose answer is only known when it runs.
type choice struct {
	kind  choiceKind
	name  string // the sysctl, or the command
	limit int64  // the number to compare the sysctl with
}

type choiceKind int

const (
	isBelow        choiceKind = iota // is the sysctl's value lower than limit when the script starts?
	isEqual                          // is it equal to limit?
	isBusybox                        // is the sysctl command that of busybox, and not of procps?
	succeeds                         // does a command without an effect on sysctls succeed?
	exists                           // does the node's kernel have the sysctl, which a module provides?
	countsReadOnly                   // does the sysctl command fail after a read-only name?
)

func (c choice) isCondition() bool { return c.kind == isBelow || c.kind == isEqual }

// chooser answers choices in the order in which a run meets them. A choice has the same answer throughout a run.
type chooser struct {
	answers map[choice]bool
	order   []choice
	given   []bool // answers to the first choices; the answer to later choices is true
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

// Limits for the paths to explore. A script with problems is not converted anyway: more paths only help the report.
const (
	maxPaths            = 1024
	maxPathsWithProblem = 64
)

// explore runs every path through a script that agrees with the known answers. complete is false if there are too many.
func explore(known map[choice]bool, start func(*chooser) *run) (paths []*run, complete bool) {
	return exploreSome(maxPaths, known, start)
}

// exploreSome is explore with a given limit.
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

// failsWith reports whether a path fails if the failure of a doubt happens.
func (r *run) failsWith(d doubt, start starter) bool {
	paths, complete := explore(r.choices.answers, func(c *chooser) *run { return start(c, d) })
	for _, repeated := range paths {
		if repeated.status == 0 || len(repeated.problems) > 0 {
			return false
		}
	}
	return complete
}

// last returns the last write of each name, in the order of these writes.
func (r *run) last() []attempt {
	var all []attempt
	for i, a := range r.attempts {
		if a.outcome != wrote || isWritten(r.attempts[i+1:], a.name) {
			continue
		}
		all = append(all, a)
	}
	return all
}

// isWritten reports whether one of the attempts has written a sysctl.
func isWritten(attempts []attempt, name string) bool {
	for _, a := range attempts {
		if a.name == name && a.outcome == wrote {
			return true
		}
	}
	return false
}

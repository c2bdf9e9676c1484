package convert

import (
	"fmt"
	"maps"

	"mvdan.cc/sh/v3/syntax"
)

// text is what a word or the output of a command holds.
type text struct {
	s string
	// read is the sysctl whose value the text is, with nothing else around it.
	read string
	// opaque is set if the text is only known when the script runs.
	opaque bool
}

func constant(s string) text { return text{s: s} }

func (t text) isConstant() bool { return t.read == "" && !t.opaque }

// Problem is one thing that keeps a container from being converted.
type Problem struct {
	// Line is a line of the script, counted from 1; 0 if there is no script or the problem is not one line's.
	Line int
	// Reason is a sentence for a person.
	Reason string
}

// outcome is what becomes of an attempt to write a sysctl.
type outcome int

const (
	wrote    outcome = iota
	missing          // the kernel has no such file here
	denied           // the file may not be opened for writing
	rejected         // the kernel rejects the value
)

// attempt is one attempt to write a sysctl.
type attempt struct {
	name, value string
	line        int
	outcome     outcome
	// isNew is set if an older sysctl command does not know how it is asked, and ends with an error.
	isNew bool
}

// doubt forces failures on a run: the script has to stop at each that could happen, since a pod with the annotation
// would not start.
type doubt struct {
	kind    doubtKind
	attempt int     // for doubtAttempt
	outcome outcome // for doubtAttempt
}

type doubtKind int

const (
	noDoubt      doubtKind = iota
	doubtAttempt           // one attempt to write fails
	doubtTool              // the image has no sysctl command
	doubtRights            // the container may not write at all
)

// run carries out a script without a kernel. It follows the shell exactly as far as it understands the script. At
// anything else it notes a problem and goes on, so that the report can say what the other lines do.
type run struct {
	setting  *setting
	choices  *chooser
	doubt    doubt
	lang     syntax.LangVariant
	attempts []attempt
	problems []Problem
	notes    []Note

	variables         map[string]text
	readOnly          map[string]bool // variables that may not be set again
	arguments         []string        // $0, $1, ...
	errexit, pipefail bool
	installed         bool // a package manager ran, so the sysctl command may be another one
	files             map[string]string
	directories       map[string]bool

	usesTool        bool // the sysctl command ran
	namesToolByPath bool // and was named by a path, where the image may not have it

	stdin, out *pipe
	exited     bool
	status     int // of the last command; that of the script in the end
	depth      int
	steps      int
}

// pipe is text on its way from one command to the next.
type pipe struct{ parts []text }

func (p *pipe) write(parts ...text) {
	if p != nil {
		p.parts = append(p.parts, parts...)
	}
}

// text returns all that was written.
func (p *pipe) text() text {
	var all text
	for _, part := range p.parts {
		switch {
		case part.opaque:
			return text{opaque: true}
		case part.read != "" && all == text{}:
			all = part
		case part.read != "":
			return text{opaque: true}
		case all.read != "":
			if part.s != "\n" && part.s != "" {
				return text{opaque: true}
			}
		case len(all.s)+len(part.s) > maxText:
			return text{opaque: true}
		default:
			all.s += part.s
		}
	}
	return all
}

// problem notes what is not understood at a position. The same sentence about the same line is noted once.
func (r *run) problem(at syntax.Pos, format string, args ...any) {
	r.problemAt(int(at.Line()), format, args...)
}

func (r *run) problemAt(line int, format string, args ...any) {
	p := Problem{Line: line, Reason: fmt.Sprintf(format, args...)}
	for _, known := range r.problems {
		if known == p {
			return
		}
	}
	r.problems = append(r.problems, p)
}

// writeByTool carries out an attempt that the sysctl command makes.
func (r *run) writeByTool(name, value string, c call, isNew bool) outcome {
	if r.setting.hostProcOnly {
		r.problem(c.at, "the sysctl command writes to the container's own /proc/sys, which is read-only unless it is privileged")
	}
	before := len(r.attempts)
	done := r.write(name, value, c.line)
	if len(r.attempts) > before {
		r.attempts[before].isNew = isNew
	}
	return done
}

// write carries out one attempt to write a sysctl.
func (r *run) write(name, value string, line int) outcome {
	if len(r.attempts) >= maxAttempts {
		r.problemAt(0, "the script sets sysctls more than %d times", maxAttempts)
		return wrote
	}
	a := attempt{name: name, value: value, line: line}
	switch fate := r.setting.fateOf(name); {
	case r.doubt.kind == doubtRights:
		a.outcome = denied
	case r.doubt.kind == doubtAttempt && r.doubt.attempt == len(r.attempts):
		a.outcome = r.doubt.outcome
	case fate == fateMissing:
		a.outcome = missing
	case fate == fateReadOnly:
		a.outcome = denied
	case !r.isThere(name):
		a.outcome = missing
	}
	r.attempts = append(r.attempts, a)
	r.noteWrite(a)
	return a.outcome
}

// isThere asks whether the kernel has a name that a module provides. All others are there, or are not known.
func (r *run) isThere(name string) bool {
	return !r.setting.isOfModule(name) || r.choose(choice{kind: exists, name: name})
}

// hasWritten reports whether the script has written a sysctl before.
func (r *run) hasWritten(name string) bool {
	for _, a := range r.attempts {
		if a.name == name && a.outcome == wrote {
			return true
		}
	}
	return false
}

// subshell runs f with variables and options that do not outlive it.
func (r *run) subshell(f func()) {
	variables, errexit, pipefail := maps.Clone(r.variables), r.errexit, r.pipefail
	exited := r.exited
	f()
	r.variables, r.errexit, r.pipefail, r.exited = variables, errexit, pipefail, exited
}

// exit ends the script.
func (r *run) exit(status int) {
	r.status, r.exited = status, true
}

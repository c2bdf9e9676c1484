package convert

import (
	"fmt"
	"maps"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// text is the content of a word, or the output of a command.
type text struct {
	s string
	// read is set if the text is exactly the value of this sysctl.
	read string
	// opaque is set if the text is only known when the script runs.
	opaque bool
}

func constant(s string) text { return text{s: s} }

func (t text) isConstant() bool { return t.read == "" && !t.opaque }

// Problem is one reason why a container is not converted.
type Problem struct {
	// Line is a line of the script, counted from 1. It is 0 if there is no script, or no single line.
	Line int
	// Reason is a sentence for a person.
	Reason string
}

// outcome is the result of an attempt to write a sysctl.
type outcome int

const (
	wrote    outcome = iota
	missing          // the file does not exist
	denied           // the file cannot be opened for writing
	rejected         // the kernel rejects the value
)

// attempt is one attempt to write a sysctl.
type attempt struct {
	name, value string
	line        int
	outcome     outcome
	// isNew is set if an older sysctl command may not support the options, and fails.
	isNew bool
}

// doubt makes a run fail in one way. The script must stop at each failure that could happen, since a pod with the
// annotation would not start.
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

// run simulates a script without a kernel. It behaves exactly like the shell as far as it understands the script. If it
// does not understand a command, it adds a problem and continues, so that the report can describe the other lines.
type run struct {
	setting  *setting
	choices  *chooser
	doubt    doubt
	lang     syntax.LangVariant
	attempts []attempt
	problems []Problem
	notes    []Note

	variables         map[string]text
	readOnly          map[string]bool // variables that cannot be set again
	arguments         []string        // $0, $1, ...
	errexit, pipefail bool
	installed         bool // a package manager ran, so the sysctl command may be another
	files             map[string]string
	directories       map[string]bool

	usesTool        bool // the sysctl command ran
	namesToolByPath bool // it was named by a path, which the image may not have

	stdin, out *pipe
	exited     bool
	status     int // of the last command, or of the script after its end
	depth      int
	steps      int
	// isOutOfWork is set once there is no work left for the script.
	isOutOfWork bool
}

// pipe is the output of one command that another one reads.
type pipe struct{ parts []text }

func (p *pipe) write(parts ...text) {
	if p != nil {
		p.parts = append(p.parts, parts...)
	}
}

// textOf returns all that was written to a pipe.
func (r *run) textOf(p *pipe) text {
	var all text
	var b strings.Builder // of constant parts
	for _, part := range p.parts {
		if !r.spend(workOfText(part.s)) {
			return text{opaque: true}
		}
		switch {
		case part.opaque:
			return text{opaque: true}
		case part.read != "" && all.read == "" && b.Len() == 0:
			all = part
		case part.read != "":
			return text{opaque: true}
		case all.read != "":
			if part.s != "\n" && part.s != "" {
				return text{opaque: true}
			}
		case b.Len()+len(part.s) > maxText:
			return text{opaque: true}
		default:
			b.WriteString(part.s)
		}
	}
	if all.read != "" {
		return all
	}
	return constant(b.String())
}

// problem adds a problem at a position. It adds the same reason for the same line only once.
func (r *run) problem(at syntax.Pos, format string, args ...any) {
	r.problemAt(int(at.Line()), format, args...)
}

func (r *run) problemAt(line int, format string, args ...any) {
	if !r.spend(workOfProblem + len(r.problems)) {
		return
	}
	p := Problem{Line: line, Reason: fmt.Sprintf(format, args...)}
	for _, known := range r.problems {
		if known == p {
			return
		}
	}
	r.problems = append(r.problems, p)
}

// writeByTool simulates a write by the sysctl command.
func (r *run) writeByTool(name, value string, c call, isNew bool) outcome {
	if r.setting.hostProcOnly {
		r.problem(c.at, "the sysctl command writes to the container's own /proc/sys, which is read-only unless the "+
			"container is privileged")
	}
	before := len(r.attempts)
	done := r.write(name, value, c.line)
	if len(r.attempts) > before {
		r.attempts[before].isNew = isNew
	}
	return done
}

// write simulates one attempt to write a sysctl.
func (r *run) write(name, value string, line int) outcome {
	if !r.spend(workOfName) {
		return wrote
	}
	if len(r.attempts) >= maxAttempts {
		r.problemAt(0, "the script sets sysctls more than %d times", maxAttempts)
		return wrote
	}
	r.checkClass(name, line)
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
	case !r.isPresent(name):
		a.outcome = missing
	}
	r.attempts = append(r.attempts, a)
	r.noteWrite(a)
	return a.outcome
}

// checkClass adds a problem if only a guest has or takes a name, and the pod may run in one.
func (r *run) checkClass(name string, line int) {
	class := r.setting.kernel.UnknownClass
	if class == "" {
		return
	}
	fate, inGuest := r.setting.fateOf(name), (&setting{kernel: Kernel{Guest: true}}).fateOf(name)
	if (fate == fateMissing || fate == fateReadOnly) && inGuest == fateTakes {
		r.problemAt(line, "%s: it is not known whose kernel RuntimeClass %q gives; name its file with --runtime-class",
			name, class)
	}
}

// isPresent reports whether the kernel has a name. That is a choice for a name that a module provides. It is true for
// all other names.
func (r *run) isPresent(name string) bool {
	return !r.setting.isOfModule(name) || r.choose(choice{kind: exists, name: name})
}

// subshell runs f, and restores variables and options afterwards.
func (r *run) subshell(f func()) {
	if !r.spend(workOfVariable * (1 + len(r.variables))) {
		return
	}
	variables, errexit, pipefail := maps.Clone(r.variables), r.errexit, r.pipefail
	exited := r.exited
	f()
	r.variables, r.errexit, r.pipefail, r.exited = variables, errexit, pipefail, exited
}

// exit ends the script.
func (r *run) exit(status int) {
	r.status, r.exited = status, true
}

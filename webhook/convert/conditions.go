package convert

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// testClause runs [[ ]] of bash. For busybox, the parser reports [[ ]] as a command.
func (r *run) testClause(c *syntax.TestClause) int {
	args, ok := r.testWords(c.X)
	if !ok {
		r.problem(c.Pos(), "this condition is not understood")
		return 0
	}
	return r.test(int(c.Pos().Line()), args, true)
}

// testWords converts a condition of [[ ]] to arguments of test. The right side of == is a pattern.
func (r *run) testWords(x syntax.TestExpr) ([]text, bool) {
	switch x := x.(type) {
	case *syntax.Word:
		return []text{r.joined(x)}, true
	case *syntax.ParenTest:
		return r.testWords(x.X)
	case *syntax.UnaryTest:
		rest, ok := r.testWords(x.X)
		if !r.spend(1 + len(rest)) {
			return nil, false
		}
		return append([]text{constant(x.Op.String())}, rest...), ok
	case *syntax.BinaryTest:
		if x.Op == syntax.AndTest || x.Op == syntax.OrTest || x.Op == syntax.TsReMatch {
			return nil, false
		}
		left, okLeft := r.testWords(x.X)
		right, okRight := r.testWords(x.Y)
		if !okLeft || !okRight || len(left) != 1 || len(right) != 1 {
			return nil, false
		}
		return []text{left[0], constant(x.Op.String()), right[0]}, true
	}
	return nil, false
}

// test evaluates the arguments of test or [ ]. brackets is set for [[ ]], where an empty text counts as 0.
func (r *run) test(line int, args []text, brackets bool) int {
	if len(args) > 1 && args[0] == constant("!") {
		return boolStatus(r.test(line, args[1:], brackets) != 0)
	}
	switch {
	case len(args) == 3 && args[1].isConstant():
		operator := args[1].s
		if brackets && strings.HasSuffix(operator, "=") && strings.ContainsAny(args[2].s, "*?[\\") {
			r.problemAt(line, "%q may be a pattern", args[2].s)
		}
		switch operator {
		case "-lt", "-le", "-gt", "-ge", "-eq", "-ne":
			return r.compare(line, args[0], operator, args[2], brackets)
		case "==":
			if !brackets && r.lang != syntax.LangBash && !r.setting.image.busybox {
				r.problemAt(line, "not every sh supports == in a condition")
			}
			return r.compareStrings(line, args[0], args[2], true)
		case "=":
			return r.compareStrings(line, args[0], args[2], true)
		case "!=":
			return r.compareStrings(line, args[0], args[2], false)
		}
	case len(args) == 2 && args[0] == constant("-n") && !args[1].opaque:
		return boolStatus(args[1].read != "" || args[1].s != "")
	case len(args) == 2 && args[0] == constant("-z") && !args[1].opaque:
		return boolStatus(args[1].read == "" && args[1].s == "")
	case len(args) == 2 && args[0].isConstant() && args[1].isConstant() &&
		slices.Contains([]string{"-e", "-f", "-r", "-w"}, args[0].s):
		if name, ok := r.setting.sysctlOfPath(args[1].s); ok {
			return r.testFile(line, args[0].s, name)
		}
	case len(args) == 1 && args[0].isConstant():
		return boolStatus(args[0].s != "")
	}
	r.problemAt(line, "this condition is not understood")
	return 0
}

// compare compares numbers. If one of them is the value of a sysctl, both results are explored. brackets is set for
// [[ ]] and (( )).
func (r *run) compare(line int, a text, operator string, b text, brackets bool) int {
	if b.read != "" {
		a, b, operator = b, a, mirrored[operator]
	}
	if !b.isConstant() || a.opaque {
		r.problemAt(line, "the values that are compared are not known")
		return 0
	}
	if !brackets && (b.s == "" || a.read == "" && a.s == "") {
		return 2 // an error message, and no match
	}
	limit, ok := number(strings.TrimSpace(b.s))
	if !ok {
		r.problemAt(line, "%q is not a whole number in decimal", b.s)
		return 0
	}
	if a.read != "" {
		return r.compareSysctl(line, a.read, operator, limit)
	}
	value, ok := number(strings.TrimSpace(a.s))
	if !ok {
		r.problemAt(line, "%q is not a whole number in decimal", a.s)
		return 0
	}
	results := map[string]bool{
		"-lt": value < limit, "-le": value <= limit, "-gt": value > limit, "-ge": value >= limit, "-eq": value == limit,
		"-ne": value != limit,
	}
	return boolStatus(results[operator])
}

// testFile returns the status of a test whether a file below /proc/sys exists or is writable.
func (r *run) testFile(line int, operator, name string) int {
	r.checkClass(name, line)
	switch {
	case operator == "-w" && (r.doubt.kind == doubtRights || r.setting.fateOf(name) == fateReadOnly):
		return 1
	case operator == "-w" && r.setting.hostProcOnly:
		r.problemAt(line, "it is not known whether the container may write %s", name)
	case r.setting.fateOf(name) == fateMissing || !r.isPresent(name):
		return 1
	case r.setting.isOfModule(name):
	case !r.setting.existsEverywhere(name):
		r.problemAt(line, "it is not known whether the node has %s", name)
	}
	return 0
}

var mirrored = map[string]string{"-lt": "-gt", "-le": "-ge", "-gt": "-lt", "-ge": "-le", "-eq": "-eq", "-ne": "-ne"}

// compareSysctl compares the value that a sysctl has when the script starts with a number.
func (r *run) compareSysctl(line int, name, operator string, limit int64) int {
	if why := r.setting.incomparable(name); why != "" {
		r.problemAt(line, "%s %s", name, why)
		return 0
	}
	if isWritten(r.attempts, name) {
		r.problemAt(line, "the condition depends on %s, which the script sets before it", name)
		return 0
	}
	below := func(limit int64) bool { return r.choose(choice{kind: isBelow, name: name, limit: limit}) }
	equal := func() bool { return r.choose(choice{kind: isEqual, name: name, limit: limit}) }
	switch operator {
	case "-lt":
		return boolStatus(below(limit))
	case "-ge":
		return boolStatus(!below(limit))
	case "-le":
		return boolStatus(below(limit + 1))
	case "-gt":
		return boolStatus(!below(limit + 1))
	case "-eq":
		return boolStatus(equal())
	default:
		return boolStatus(!equal())
	}
}

func (r *run) compareStrings(line int, a, b text, want bool) int {
	if a.isConstant() && b.isConstant() {
		return boolStatus((a.s == b.s) == want)
	}
	if b.read != "" {
		a, b = b, a
	}
	if limit, ok := number(b.s); a.read != "" && ok && b.isConstant() {
		if want {
			return r.compareSysctl(line, a.read, "-eq", limit)
		}
		return r.compareSysctl(line, a.read, "-ne", limit)
	}
	r.problemAt(line, "the values that are compared are not known")
	return 0
}

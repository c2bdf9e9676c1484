package convert

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Limits for a script. A larger one is not analyzed.
const (
	maxDepth    = 50       // nesting of commands
	maxSteps    = 500      // statements of one run
	maxAttempts = 100      // writes of sysctls
	maxWords    = 200      // words of one command
	maxText     = 16 << 10 // bytes of a variable, a word or a file
)

func (r *run) statements(all []*syntax.Stmt, guarded bool) int {
	status := 0
	for _, s := range all {
		if status = r.statement(s, guarded); r.exited {
			return r.status
		}
	}
	return status
}

// statement runs one statement. guarded is set if `set -e` has no effect: in conditions, and before && and ||.
func (r *run) statement(s *syntax.Stmt, guarded bool) int {
	if r.exited {
		return r.status
	}
	r.depth++
	defer func() { r.depth-- }()
	if r.steps++; r.depth > maxDepth || r.steps > maxSteps {
		r.problemAt(0, "the script is too long or nested too deeply")
		r.exit(0)
		return 0
	}
	if !r.spend(workOfCommand) {
		return 0
	}
	if s.Background || s.Coprocess || s.Disown {
		r.problem(s.Pos(), "a command runs in the background, so the order of its effect is not known")
	}
	status, checked := r.command(s, guarded || s.Negated)
	if r.exited {
		return r.status
	}
	if s.Negated {
		r.status = boolStatus(status != 0)
		return r.status
	}
	if checked && r.errexit && !guarded && status != 0 {
		r.exit(status)
	}
	r.status = status
	return status
}

// command runs the command of a statement. checked is set if `set -e` checks its status.
func (r *run) command(s *syntax.Stmt, guarded bool) (status int, checked bool) {
	switch c := s.Cmd.(type) {
	case *syntax.CallExpr:
		return r.simple(c, s.Redirs), true
	case *syntax.BinaryCmd:
		r.plainRedirects(s)
		return r.binary(c, guarded)
	case *syntax.IfClause:
		r.plainRedirects(s)
		return r.ifClause(c, guarded), false
	case *syntax.Block:
		r.plainRedirects(s)
		return r.statements(c.Stmts, guarded), false
	case *syntax.Subshell:
		r.plainRedirects(s)
		r.subshell(func() {
			status = r.statements(c.Stmts, guarded)
			if r.exited {
				status = r.status
			}
		})
		return status, true
	case *syntax.ForClause:
		r.plainRedirects(s)
		return r.forClause(c, guarded), false
	case *syntax.TestClause:
		r.plainRedirects(s)
		return r.testClause(c), true
	case *syntax.ArithmCmd:
		r.plainRedirects(s)
		return r.arithmeticCommand(c), true
	case *syntax.DeclClause:
		r.plainRedirects(s)
		return r.declare(c), true
	case *syntax.WhileClause:
		r.problem(s.Pos(), "it is not known how often the loop runs")
		r.statements(c.Cond, true)
		r.statements(c.Do, true)
		return 0, false
	case *syntax.CaseClause:
		r.problem(s.Pos(), "a case statement is not understood")
	case *syntax.FuncDecl:
		r.problem(s.Pos(), "functions are not understood")
	case nil:
		return r.redirectOnly(s), true
	default:
		r.problem(s.Pos(), "this is not understood")
	}
	return 0, false
}

func (r *run) binary(c *syntax.BinaryCmd, guarded bool) (status int, checked bool) {
	switch c.Op {
	case syntax.AndStmt, syntax.OrStmt:
		status = r.statement(c.X, true)
		if r.exited || (status == 0) != (c.Op == syntax.AndStmt) {
			return status, false
		}
		return r.statement(c.Y, guarded), false
	case syntax.Pipe:
		return r.pipeline(c), true
	default:
		r.problem(c.OpPos, "%s is not understood", c.Op)
		return 0, false
	}
}

// pipeline runs the stages one after the other. The effect is the same as long as each stage only waits for its input.
func (r *run) pipeline(c *syntax.BinaryCmd) int {
	stages := stagesOf(c)
	out, status, failed, before := r.out, 0, 0, len(r.attempts)
	var input *pipe
	writers := 0
	for i, s := range stages {
		call, ok := s.Cmd.(*syntax.CallExpr)
		if !ok || s.Negated {
			r.problem(s.Pos(), "only simple commands are understood in a pipe")
			continue
		}
		stdin := r.stdin
		next := &pipe{}
		r.stdin, r.out = input, next
		if i == 0 {
			r.stdin = stdin
		}
		if i == len(stages)-1 {
			r.out = out
		}
		r.subshell(func() {
			status = r.simple(call, s.Redirs)
			if r.exited {
				status = r.status
			}
		})
		if len(r.attempts) > before {
			writers, before = writers+1, len(r.attempts)
		}
		r.stdin, r.out, input = stdin, out, next
		if status != 0 {
			failed = status
		}
	}
	if writers > 1 {
		r.problem(c.OpPos, "two commands of one pipe set sysctls, and their order is not known")
	}
	if r.pipefail {
		return failed
	}
	return status
}

func stagesOf(c *syntax.BinaryCmd) []*syntax.Stmt {
	var stages []*syntax.Stmt
	if left, ok := c.X.Cmd.(*syntax.BinaryCmd); ok && left.Op == syntax.Pipe && !c.X.Negated && len(c.X.Redirs) == 0 {
		stages = stagesOf(left)
	} else {
		stages = append(stages, c.X)
	}
	return append(stages, c.Y)
}

func (r *run) ifClause(c *syntax.IfClause, guarded bool) int {
	for c != nil {
		if len(c.Cond) == 0 { // else
			return r.statements(c.Then, guarded)
		}
		status := r.statements(c.Cond, true)
		if r.exited {
			return r.status
		}
		if status == 0 {
			return r.statements(c.Then, guarded)
		}
		c = c.Else
	}
	return 0
}

// maxRounds limits the rounds of a for loop.
const maxRounds = 100

func (r *run) forClause(c *syntax.ForClause, guarded bool) int {
	loop, ok := c.Loop.(*syntax.WordIter)
	if !ok || c.Select || !loop.InPos.IsValid() {
		r.problem(c.Pos(), "this loop is not understood")
		return 0
	}
	var items []text
	for _, w := range loop.Items {
		if r.isOutOfWork {
			return 0
		}
		items = append(items, r.fields(w)...)
	}
	if len(items) > maxRounds {
		r.problem(c.Pos(), "the loop has more than %d rounds", maxRounds)
		items = items[:maxRounds]
	}
	status := 0
	for _, item := range items {
		r.setVariable(loop.Name.Value, item, c.Pos())
		if status = r.statements(c.Do, guarded); r.exited {
			return r.status
		}
	}
	return status
}

// declare runs export and readonly. Its status is always 0, even if a command substitution in it fails.
func (r *run) declare(c *syntax.DeclClause) int {
	if c.Variant.Value != "export" && c.Variant.Value != "readonly" {
		r.problem(c.Pos(), "%s is not understood", c.Variant.Value)
	}
	for _, a := range c.Args {
		if a.Name == nil {
			r.problem(c.Pos(), "options of %s are not understood", c.Variant.Value)
			continue
		}
		r.assign(a)
		if c.Variant.Value == "readonly" {
			r.readOnly[a.Name.Value] = true
		}
	}
	return 0
}

func (r *run) assign(a *syntax.Assign) {
	if a.Append || a.Index != nil || a.Array != nil {
		r.problem(a.Pos(), "this kind of assignment is not understood")
		return
	}
	name := a.Name.Value
	switch {
	case a.Naked: // export of a variable that is set elsewhere
	case a.Value == nil:
		r.setVariable(name, constant(""), a.Pos())
	default:
		r.setVariable(name, r.joined(a.Value), a.Pos())
	}
}

func (r *run) setVariable(name string, value text, at syntax.Pos) {
	if !r.spend(workOfVariable) {
		return
	}
	if r.readOnly[name] {
		r.problem(at, "%s is read-only, and shells differ in whether the script continues", name)
	}
	if isWord(name, "IFS PATH LANG POSIXLY_CORRECT") || strings.HasPrefix(name, "LC_") {
		r.problem(at, "%s changes how the rest of the script runs", name)
	}
	r.variables[name] = value
}

func boolStatus(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

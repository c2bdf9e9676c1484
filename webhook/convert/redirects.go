package convert

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// redirect performs one redirection. It returns the new target of standard output, or false if the target is the same
// as before.
func (r *run) redirect(d *syntax.Redirect) (target, bool) {
	if !r.spend(workOfCommand) {
		return target{}, false
	}
	number := ""
	if d.N != nil {
		number = d.N.Value
	}
	switch d.Op {
	case syntax.Hdoc, syntax.DashHdoc, syntax.WordHdoc, syntax.RdrIn:
		r.input(d, number)
		return target{}, false
	case syntax.RdrOut, syntax.AppOut, syntax.RdrClob:
		return r.output(d, number)
	case syntax.DplOut:
		to := r.joined(d.Word)
		switch {
		case number == "2" && to == constant("1"):
			return target{}, false
		case (number == "" || number == "1") && to == constant("2"):
			return target{discard: true}, true
		}
	case syntax.RdrAll, syntax.AppAll:
		if r.joined(d.Word) == constant("/dev/null") {
			return target{discard: true}, true
		}
	}
	r.problem(d.Pos(), "this redirection is not understood")
	return target{}, false
}

func (r *run) output(d *syntax.Redirect, number string) (target, bool) {
	to := r.joined(d.Word)
	if !to.isConstant() || number != "" && number != "1" && number != "2" {
		r.problem(d.Pos(), "this redirection is not understood")
		return target{}, false
	}
	switch to.s {
	case "/dev/null", "/dev/stderr":
		return target{discard: true}, number != "2"
	case "/dev/stdout", "/proc/self/fd/1", "/proc/1/fd/1":
		return target{}, false
	}
	if number == "2" {
		r.problem(d.Pos(), "the error output goes to %s", to.s)
		return target{}, false
	}
	if name, ok := r.setting.sysctlOfPath(to.s); ok {
		return target{sysctl: name}, true
	}
	return target{file: to.s, doAdd: d.Op == syntax.AppOut}, true
}

func (r *run) input(d *syntax.Redirect, number string) {
	content := &pipe{}
	if number != "" && number != "0" {
		r.problem(d.Pos(), "this redirection is not understood")
	}
	switch d.Op {
	case syntax.WordHdoc:
		content.write(r.joined(d.Word), constant("\n"))
	case syntax.RdrIn:
		content.write(r.inputFile(r.joined(d.Word), d.Pos()))
	default:
		document := text{}
		if d.Hdoc != nil {
			document = r.hereDocument(d)
		}
		content.write(document)
	}
	r.stdin = content
}

func (r *run) hereDocument(d *syntax.Redirect) text {
	isQuoted := false
	for _, part := range d.Word.Parts {
		if lit, plain := part.(*syntax.Lit); !plain || strings.Contains(lit.Value, `\`) {
			isQuoted = true
		}
	}
	var all pipe
	for _, part := range d.Hdoc.Parts {
		if r.isOutOfWork {
			break
		}
		lit, ok := part.(*syntax.Lit)
		switch {
		case !ok:
			all.write(r.expansion(part))
		case isQuoted:
			all.write(constant(lit.Value))
		default:
			all.write(constant(unescape(lit.Value, "$`\\\n")))
		}
	}
	document := r.textOf(&all)
	if d.Op == syntax.DashHdoc {
		lines := strings.Split(document.s, "\n")
		for i, line := range lines {
			lines[i] = strings.TrimLeft(line, "\t")
		}
		document.s = strings.Join(lines, "\n")
	}
	return document
}

// read returns the content of a file.
func (r *run) read(name text, at syntax.Pos) text {
	if !r.spend(workOfName) {
		return text{opaque: true}
	}
	if !name.isConstant() {
		r.problem(at, "the name of the file to read is not known before the script runs")
		return text{opaque: true}
	}
	if sysctl, ok := r.setting.sysctlOfPath(name.s); ok {
		return text{read: sysctl}
	}
	if content, ok := r.files[name.s]; ok {
		return constant(content)
	}
	if name.s == "/dev/null" {
		return text{}
	}
	return text{opaque: true}
}

// inputFile returns the content of a file that is the input of a command. If the file does not exist, the command does
// not run.
func (r *run) inputFile(name text, at syntax.Pos) text {
	content := r.read(name, at)
	if content.opaque || content.read != "" && !r.setting.existsEverywhere(content.read) {
		r.problem(at, "the command runs only if the file %s exists, which is not known", name.s)
	}
	return content
}

// noRedirects performs redirections that may only discard the output.
func (r *run) noRedirects(redirects []*syntax.Redirect) {
	for _, d := range redirects {
		if to, ok := r.redirect(d); ok && !to.discard {
			r.problem(d.Pos(), "this redirection is not understood")
		}
	}
}

func (r *run) plainRedirects(s *syntax.Stmt) {
	for _, d := range s.Redirs {
		if d.Op != syntax.RdrOut && d.Op != syntax.AppOut && d.Op != syntax.DplOut && d.Op != syntax.RdrAll {
			r.problem(d.Pos(), "this redirection is not understood")
			return
		}
	}
	r.noRedirects(s.Redirs)
}

// redirectOnly runs a statement that consists of redirections only: it opens the files, and empties them.
func (r *run) redirectOnly(s *syntax.Stmt) int {
	for _, d := range s.Redirs {
		to, ok := r.redirect(d)
		if ok && to.file != "" && !to.doAdd {
			r.writeFile(to.file, text{}, false, call{line: int(d.Pos().Line()), at: d.Pos()})
			continue
		}
		if ok && !to.discard {
			r.problem(d.Pos(), "this redirection is not understood")
		}
	}
	return 0
}

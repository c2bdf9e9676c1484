package convert

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// piece is a part of a word after expansion.
type piece struct {
	text
	// split is set if the shell splits the text at blanks, since it comes from an expansion outside quotes.
	split bool
}

const blanks = " \t\n"

// joined expands a word that is not split: the value of an assignment, the target of a redirection, a here-document.
func (r *run) joined(w *syntax.Word) text {
	var all pipe
	for _, p := range r.pieces(w) {
		all.write(p.text)
	}
	if len(all.parts) == 1 {
		return all.parts[0]
	}
	for _, part := range all.parts {
		if !part.isConstant() {
			return text{opaque: true}
		}
	}
	return r.textOf(&all)
}

// fields expands a word into arguments.
func (r *run) fields(w *syntax.Word) []text {
	if all, ok := r.allArguments(w); ok {
		return all
	}
	var fields []text
	var current []text
	open := false // whether a field has begun
	flush := func() {
		if open {
			fields = append(fields, concat(current))
		}
		current, open = nil, false
	}
	for _, p := range r.pieces(w) {
		if !p.split || !p.isConstant() {
			current, open = append(current, p.text), true
			continue
		}
		rest := p.s
		for rest != "" && len(fields) <= maxWords {
			if i := strings.IndexAny(rest, blanks); i != 0 {
				if i < 0 {
					i = len(rest)
				}
				current, open = append(current, constant(rest[:i])), true
				rest = rest[i:]
				continue
			}
			flush()
			rest = strings.TrimLeft(rest, blanks)
		}
	}
	flush()
	r.spend(len(fields))
	return fields
}

func concat(parts []text) text {
	if len(parts) == 1 {
		return parts[0]
	}
	var b strings.Builder
	for _, part := range parts {
		if !part.isConstant() || b.Len()+len(part.s) > maxText {
			return text{opaque: true}
		}
		b.WriteString(part.s)
	}
	return constant(b.String())
}

// allArguments expands "$@".
func (r *run) allArguments(w *syntax.Word) ([]text, bool) {
	if len(w.Parts) != 1 {
		return nil, false
	}
	quoted, ok := w.Parts[0].(*syntax.DblQuoted)
	if !ok || quoted.Dollar || len(quoted.Parts) != 1 {
		return nil, false
	}
	param, ok := quoted.Parts[0].(*syntax.ParamExp)
	if !ok || !isPlain(param) || param.Exp != nil || param.Param.Value != "@" {
		return nil, false
	}
	var all []text
	if !r.spend(len(r.arguments)) {
		return nil, true
	}
	for _, argument := range r.arguments[min(1, len(r.arguments)):] {
		all = append(all, constant(argument))
	}
	return all, true
}

func (r *run) pieces(w *syntax.Word) []piece {
	var all []piece
	for i, part := range w.Parts {
		before := len(all)
		switch p := part.(type) {
		case *syntax.Lit:
			if i == 0 && strings.HasPrefix(p.Value, "~") {
				r.problem(p.Pos(), "~ is not understood")
			}
			all = append(all, piece{text: constant(r.unquoted(p))})
		case *syntax.SglQuoted:
			if p.Dollar && strings.Contains(p.Value, `\`) {
				r.problem(p.Pos(), "escapes in $'' are not understood")
			}
			all = append(all, piece{text: constant(p.Value)})
		case *syntax.DblQuoted:
			all = append(all, r.quoted(p)...)
		default:
			all = append(all, piece{r.expansion(part), true})
		}
		if !r.spendOn(all[before:]) {
			return []piece{{text: text{opaque: true}}}
		}
	}
	return all
}

func (r *run) quoted(q *syntax.DblQuoted) []piece {
	if q.Dollar {
		r.problem(q.Pos(), `$"" is not understood`)
	}
	all := []piece{}
	for _, part := range q.Parts {
		if r.isOutOfWork {
			break
		}
		if lit, ok := part.(*syntax.Lit); ok {
			all = append(all, piece{text: constant(unescape(lit.Value, "$`\"\\\n"))})
		} else {
			all = append(all, piece{text: r.expansion(part)})
		}
	}
	if len(all) == 0 {
		all = append(all, piece{})
	}
	return all
}

// unquoted returns the value of a literal outside quotes.
func (r *run) unquoted(lit *syntax.Lit) string {
	value := lit.Value
	plain := withoutEscapes(value)
	switch open := strings.Index(plain, "["); {
	case strings.ContainsAny(plain, "*?"), open >= 0 && strings.Contains(plain[open:], "]"):
		r.problem(lit.Pos(), "%s is a pattern of file names: it is not known which files exist", value)
	case r.lang == syntax.LangBash && strings.Contains(plain, "{") &&
		(strings.Contains(plain, ",") || strings.Contains(plain, "..")):
		r.problem(lit.Pos(), "%s: braces are not understood", value)
	}
	return unescape(value, "")
}

// unescape removes backslashes before the characters in which, or before any character if which is empty.
func unescape(s, which string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (which == "" || strings.IndexByte(which, s[i+1]) >= 0) {
			if i++; s[i] == '\n' {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// withoutEscapes returns s without its escaped characters.
func withoutEscapes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// expansion expands a part of a word that is not plain text.
func (r *run) expansion(part syntax.WordPart) text {
	switch p := part.(type) {
	case *syntax.ParamExp:
		return r.parameter(p)
	case *syntax.CmdSubst:
		return r.substitution(p)
	case *syntax.ArithmExp:
		if number, ok := r.arithmetic(p.X); ok {
			return constant(strconv.FormatInt(number, 10))
		}
	}
	r.problem(part.Pos(), "this expansion is not understood")
	return text{opaque: true}
}

func isPlain(p *syntax.ParamExp) bool {
	return !p.Excl && !p.Length && !p.Width && !p.IsSet && p.Flags == nil && p.Param != nil && p.Index == nil &&
		len(p.Modifiers) == 0 && p.Slice == nil && p.Repl == nil && p.Names == 0 && p.NestedParam == nil
}

func (r *run) parameter(p *syntax.ParamExp) text {
	if !isPlain(p) {
		r.problem(p.Pos(), "this expansion is not understood")
		return text{opaque: true}
	}
	name := p.Param.Value
	value, set := r.lookup(name)
	if !set {
		r.problem(p.Pos(), "the value of $%s is not known: neither the script nor env sets it, but the image may", name)
		return text{opaque: true}
	}
	if p.Exp == nil {
		return value
	}
	switch p.Exp.Op {
	case syntax.DefaultUnset, syntax.AssignUnset, syntax.ErrorUnset:
		return value
	case syntax.DefaultUnsetOrNull, syntax.AssignUnsetOrNull, syntax.ErrorUnsetOrNull:
		if value.isConstant() && value.s != "" {
			return value
		}
		if value.isConstant() && p.Exp.Op == syntax.DefaultUnsetOrNull && p.Exp.Word != nil {
			return r.joined(p.Exp.Word)
		}
	}
	r.problem(p.Pos(), "this expansion of $%s is not understood", name)
	return text{opaque: true}
}

// lookup returns the value of a variable. It returns false if the variable is not set, and may be set by the image.
func (r *run) lookup(name string) (text, bool) {
	if !r.spend(workOfVariable) {
		return text{opaque: true}, true
	}
	if index, err := strconv.Atoi(name); err == nil {
		if index >= len(r.arguments) {
			return constant(""), len(r.arguments) > 0
		}
		return constant(r.arguments[index]), true
	}
	if value, ok := r.variables[name]; ok {
		return value, true
	}
	value, ok := r.setting.environment[name]
	return value, ok
}

// substitution runs $(...), and stores its status in r.status.
func (r *run) substitution(c *syntax.CmdSubst) text {
	if c.TempFile || c.ReplyVar || len(c.Stmts) != 1 {
		r.problem(c.Pos(), "a command substitution is only understood if it is one command")
		return text{opaque: true}
	}
	if c.Stmts[0].Cmd == nil {
		r.problem(c.Pos(), "only bash understands $(< file)")
		return text{opaque: true}
	}
	out, before := r.out, len(r.attempts)
	captured := &pipe{}
	r.out = captured
	status := 0
	r.subshell(func() { status = r.statement(c.Stmts[0], true) })
	r.out, r.status = out, status
	if len(r.attempts) > before {
		return text{opaque: true}
	}
	all := r.textOf(captured)
	all.s = strings.TrimRight(all.s, "\n")
	return all
}

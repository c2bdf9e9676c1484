package convert

import (
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

func (r *run) echo(c call) int {
	args, end := c.args, "\n"
	if len(args) > 0 && args[0] == constant("-n") {
		args, end = args[1:], ""
	}
	for i, argument := range args {
		if i > 0 {
			r.out.write(constant(" "))
		}
		if strings.Contains(argument.s, `\`) || i == 0 && isEchoOption(argument.s) {
			r.problem(c.at, "the output of echo %q differs between shells", argument.s)
			argument = text{opaque: true}
		}
		r.out.write(argument)
	}
	r.out.write(constant(end))
	return 0
}

func isEchoOption(s string) bool {
	return len(s) > 1 && s[0] == '-' && strings.Trim(s[1:], "neE") == ""
}

// printf supports formats with %s, %d, %% and plain text.
func (r *run) printf(c call) int {
	if len(c.args) == 0 || !c.args[0].isConstant() || strings.HasPrefix(c.args[0].s, "-") {
		r.problem(c.at, "this printf is not understood")
		return 0
	}
	format, args := c.args[0].s, c.args[1:]
	if !r.spend(len(format)) {
		return 0
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' && format[i] != '\\' {
			r.out.write(constant(format[i : i+1]))
			continue
		}
		verb := format[i:min(i+2, len(format))]
		i++
		switch plain := plainText(verb); {
		case plain != "":
			r.out.write(constant(plain))
		case verb == "%s" && len(args) > 0,
			verb == "%d" && len(args) > 0 && args[0].isConstant() && sysctl.IsWholeNumber(args[0].s):
			r.out.write(args[0])
			args = args[1:]
		default:
			r.problem(c.at, "this printf is not understood")
			return 0
		}
	}
	if len(args) > 0 {
		r.problem(c.at, "printf has more arguments than its format takes")
	}
	return 0
}

// plainText returns the text that a verb or an escape of printf stands for, or "" if it takes an argument.
func plainText(verb string) string {
	switch verb {
	case "%%":
		return "%"
	case `\n`:
		return "\n"
	case `\t`:
		return "\t"
	case `\\`:
		return `\`
	}
	return ""
}

func (r *run) cat(c call) int {
	if len(c.args) == 0 || len(c.args) == 1 && c.args[0] == constant("-") {
		return r.copyInput(c)
	}
	status := 0
	for _, name := range c.args {
		if strings.HasPrefix(name.s, "-") {
			r.problem(c.at, "options of cat are not understood")
		}
		content := r.read(name, c.at)
		if content.read != "" {
			if !r.canRead(content.read, c) {
				status = 1
				continue
			}
			r.out.write(content, constant("\n"))
			continue
		}
		if content.opaque && !r.choose(choice{kind: succeeds, name: "cat " + name.s}) {
			status = 1
		}
		r.out.write(content)
	}
	return status
}

func (r *run) copyInput(c call) int {
	if r.stdin == nil {
		r.problem(c.at, "%s reads an input that is not known", c.name)
		return 0
	}
	if r.spend(len(r.stdin.parts)) {
		r.out.write(r.stdin.parts...)
	}
	return 0
}

func (r *run) tee(c call) int {
	if c.hasPath {
		r.usesTool, r.namesToolByPath = true, true
		if r.doubt.kind == doubtTool {
			return 127
		}
	}
	before := r.out
	input := &pipe{}
	r.out = input
	r.copyInput(c)
	r.out = before
	r.out.write(input.parts...)
	content := r.textOf(input)
	status, doAdd := 0, false
	for _, name := range c.args {
		if name == constant("-a") && !doAdd {
			doAdd = true
			continue
		}
		if sysctl, ok := r.setting.sysctlOfPath(name.s); ok {
			if r.setting.hostProcOnly && strings.HasPrefix(name.s, "/proc/") {
				r.problem(c.at, "%s in the container's own /proc/sys is read-only, unless the container is privileged",
					sysctl)
			}
			if r.writeText(sysctl, content, c) != wrote {
				status = 1
			}
			continue
		}
		if name.s == "/dev/null" || name.s == "/dev/stderr" || name.s == "/dev/stdout" {
			continue
		}
		if strings.HasPrefix(name.s, "-") {
			r.problem(c.at, "options of tee are not understood")
		}
		r.writeFile(name.s, content, doAdd, c)
	}
	return status
}

// awk extracts the value from the output of `sysctl name`.
func (r *run) awk(c call) int {
	if len(c.args) == 1 && r.stdin != nil {
		program := strings.ReplaceAll(c.args[0].s, " ", "")
		isValue := len(r.stdin.parts) == 3 && r.stdin.parts[1].read != "" &&
			r.stdin.parts[0].s == r.stdin.parts[1].read+" = "
		if isValue && (program == "{print$3}" || program == "{print$NF}") {
			r.out.write(r.stdin.parts[1], constant("\n"))
			return 0
		}
	}
	r.problem(c.at, "this awk is not understood")
	return 0
}

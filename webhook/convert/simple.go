package convert

import (
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// call is a simple command with its arguments.
type call struct {
	name string
	args []text
	line int
	at   syntax.Pos
	// hasPath is set if the command is named by a path, which the image may not have.
	hasPath bool
}

// target is the target of a command's output.
type target struct {
	sysctl  string // the sysctl of a file below /proc/sys
	file    string // a file of the container
	doAdd   bool   // >> instead of >
	discard bool
}

// simple runs a simple command with its redirections.
func (r *run) simple(c *syntax.CallExpr, redirects []*syntax.Redirect) int {
	if !r.spend(workOfCommand) {
		return 0
	}
	var words []text
	for _, w := range c.Args {
		if words = append(words, r.fields(w)...); len(words) > maxWords {
			r.problem(c.Pos(), "the command has more than %d words", maxWords)
			return 0
		}
	}
	if len(words) == 0 {
		if len(c.Args) > 0 {
			r.problem(c.Pos(), "the command is empty")
		}
		r.status = 0
		for _, a := range c.Assigns {
			r.assign(a) // a command substitution sets the status
		}
		r.noRedirects(redirects)
		return r.status
	}
	if len(c.Assigns) > 0 {
		r.problem(c.Pos(), "variables before a command are not understood")
	}
	if !words[0].isConstant() {
		r.problem(c.Pos(), "the name of the command is not known before the script runs")
		return 0
	}
	return r.execute(r.callOf(words, c.Pos()), redirects)
}

// callOf returns a command without its path, and without a busybox before it.
func (r *run) callOf(words []text, at syntax.Pos) call {
	c := call{name: words[0].s, args: words[1:], line: int(at.Line()), at: at}
	switch dir, name := path.Split(c.name); dir {
	case "/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/":
		c.name, c.hasPath = name, true
	}
	if c.name == "busybox" && len(c.args) > 0 && c.args[0].isConstant() {
		c.name, c.args, c.hasPath = c.args[0].s, c.args[1:], c.hasPath || !r.setting.image.busybox
	}
	return c
}

// execute opens the files of the redirections, runs a command, and writes its output.
func (r *run) execute(c call, redirects []*syntax.Redirect) int {
	stdin, out := r.stdin, r.out
	defer func() { r.stdin, r.out = stdin, out }()
	var to *target
	for _, redirect := range redirects {
		one, ok := r.redirect(redirect)
		if !ok {
			continue
		}
		if one.sysctl != "" && r.doubt.kind != doubtRights {
			if f := r.setting.fateOf(one.sysctl); f == fateMissing || f == fateReadOnly || !r.isPresent(one.sysctl) {
				return r.blocked(one.sysctl, c)
			}
		}
		if to != nil && (to.sysctl != "" || to.file != "") {
			r.problem(c.at, "the output goes to two files")
		}
		if one.sysctl != "" {
			r.checkPath(redirect.Word, one.sysctl, c)
		}
		to = &one
	}
	if to == nil {
		return r.dispatch(c)
	}
	r.out = &pipe{}
	status := r.dispatch(c)
	if r.exited {
		return status
	}
	switch output := r.textOf(r.out); {
	case to.sysctl != "":
		if c.name != "echo" && c.name != "printf" && c.name != "cat" {
			r.problem(c.at, "the output of %s goes to %s", c.name, to.sysctl)
			return status
		}
		if r.writeText(to.sysctl, output, c) != wrote {
			return 1
		}
	case to.file != "":
		r.writeFile(to.file, output, to.doAdd, c)
	}
	return status
}

// checkPath adds a problem if a container that may only write the node's /proc writes its own.
func (r *run) checkPath(word *syntax.Word, name string, c call) {
	if r.setting.hostProcOnly && strings.HasPrefix(r.joined(word).s, "/proc/") {
		r.problem(c.at, "%s in the container's own /proc/sys is read-only, unless the container is privileged", name)
	}
}

// blocked records a write whose file cannot be opened, so that the command does not run.
func (r *run) blocked(name string, c call) int {
	if isWord(c.name, ": set exit exec") {
		r.problem(c.at, "shells handle %s differently if its file cannot be opened", c.name)
	}
	r.write(name, "", c.line)
	return 1
}

// writeText writes the output of a command to a file below /proc/sys.
func (r *run) writeText(name string, output text, c call) outcome {
	value := strings.TrimSuffix(output.s, "\n")
	switch {
	case !output.isConstant():
		r.problem(c.at, "the value for %s is not known before the script runs", name)
	case strings.Trim(value, blanks) == "" || strings.Contains(value, "\n"):
		r.problem(c.at, "the kernel reads one line, and %q is not one line", output.s)
	}
	return r.write(name, fold(value), c.line)
}

// writeFile writes the output of a command to a file of the container, for a later `sysctl -p`.
func (r *run) writeFile(name string, output text, doAdd bool, c call) {
	before, known := r.files[name]
	switch {
	case !r.spend(workOfName + workOfText(before) + workOfText(output.s)):
		return
	case r.setting.isMounted(name):
		r.problem(c.at, "the script writes %s, which is on a volume", name)
	case !path.IsAbs(name) || path.Clean(name) != name || isWord(strings.SplitN(name, "/", 3)[1], "dev proc sys"):
		r.problem(c.at, "the script writes %s, which is not a sysctl", name)
	case r.setting.readOnlyRoot:
		r.problem(c.at, "the script writes %s on a read-only file system", name)
	case !output.isConstant():
		r.problem(c.at, "the text that the script writes to %s is not known before it runs", name)
	case !r.hasDirectory(path.Dir(name)):
		r.problem(c.at, "it is not known whether the image has the folder of %s", name)
	case len(before)+len(output.s) > maxText:
		r.problem(c.at, "the script writes more than %d bytes to %s", maxText, name)
		return
	case doAdd && !known:
		r.problem(c.at, "%s may contain more than the script adds", name)
	}
	if !doAdd {
		before = ""
	}
	r.files[name] = before + output.s
}

func (r *run) hasDirectory(name string) bool {
	return name == "/" || name == "/etc" || name == "/tmp" || r.directories[name]
}

// fold turns each run of blanks into one space, which does not matter to the kernel.
func fold(value string) string {
	return strings.Join(strings.FieldsFunc(value, func(c rune) bool { return c == ' ' || c == '\t' }), " ")
}

package convert

import (
	"strings"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// sysctlFlags are the options of one call of the sysctl command.
type sysctlFlags struct{ write, quiet, ignore, namesOff, load, all bool }

// sysctl runs the sysctl command of busybox or of procps. If the image may have either, both are explored, and the
// container is only converted if they have the same effect.
func (r *run) sysctl(c call) int {
	r.usesTool = true
	r.namesToolByPath = r.namesToolByPath || c.hasPath
	if r.doubt.kind == doubtTool {
		return 127
	}
	flags, operands, ok := sysctlOptions(c.args)
	if !ok {
		r.problem(c.at, "these options of sysctl are not understood, or differ between busybox and procps")
		return 0
	}
	switch {
	case flags.all:
		r.out.write(text{opaque: true})
		return boolStatus(r.choose(choice{kind: succeeds, name: "sysctl -a"}))
	case flags.load:
		return r.load(c, flags, operands)
	case len(operands) == 0:
		r.problem(c.at, "this sysctl command has no names")
		return 0
	}
	return r.assignAll(c, flags, operands)
}

// isOld reports whether an older busybox fails at a call, and sets nothing.
func (r *run) isOld(flags sysctlFlags) bool {
	return r.setting.image.oldBusybox && (flags.quiet || !flags.write && !flags.load)
}

// sysctlOptions reads the options, which must come first: busybox takes later ones for names.
func sysctlOptions(args []text) (sysctlFlags, []text, bool) {
	var flags sysctlFlags
	for i, argument := range args {
		if !argument.isConstant() || argument.s == "" || argument.s[0] != '-' {
			for _, operand := range args[i:] {
				if strings.HasPrefix(operand.s, "-") && (!flags.load || operand.s != "-") {
					return flags, nil, false
				}
			}
			return flags, args[i:], true
		}
		if argument.s == "-" && flags.load {
			return flags, args[i:], len(args[i:]) == 1
		}
		for _, letter := range argument.s[1:] {
			switch letter {
			case 'w':
				flags.write = true
			case 'q':
				flags.quiet = true
			case 'e':
				flags.ignore = true
			case 'n':
				flags.namesOff = true
			case 'p':
				flags.load = true
			case 'a':
				flags.all = true
			default:
				return flags, nil, false
			}
		}
		if argument.s == "-" {
			return flags, nil, false
		}
	}
	return flags, nil, true
}

// assignAll runs `sysctl [-w] name=value...` and `sysctl name...`.
func (r *run) assignAll(c call, flags sysctlFlags, operands []text) int {
	status := 0
	for i, operand := range operands {
		left, value, assigns := strings.Cut(operand.s, "=")
		if !operand.isConstant() {
			r.problem(c.at, "an argument of sysctl is not known before the script runs")
			return 0
		}
		name, ok := r.toolName(left, c)
		switch {
		case !ok:
			return 0
		case !assigns && flags.write:
			r.problem(c.at, "sysctl -w %s has no value", left)
		case !assigns:
			if !r.canRead(name, c) {
				status = 1
				continue
			}
			if !flags.namesOff {
				r.out.write(constant(name + " = "))
			}
			r.out.write(text{read: name}, constant("\n"))
		case fold(value) == "" || strings.Contains(value, "\n"):
			r.problem(c.at, "the value of %s is empty or has more than one line", name)
		default:
			r.out.write(text{opaque: true})
			switch r.writeByTool(name, fold(value), c, r.isOld(flags)) {
			case wrote:
			case missing:
				if !flags.ignore || r.isBusybox() {
					status = 1
				}
			case denied:
				if r.isBusybox() || r.countsDenied() {
					status = 1
				}
			case rejected:
				status = 1
				if r.isBusybox() && i < len(operands)-1 {
					return 1 // busybox stops here
				}
			}
		}
	}
	return status
}

// toolName returns the dot form of a name on the command line.
func (r *run) toolName(name string, c call) (string, bool) {
	if !r.spend(workOfName + workOfText(name)) {
		return "", false
	}
	dotted, err := sysctl.ParseName(name)
	if err != nil {
		r.problem(c.at, "%q: %v", name, err)
		return "", false
	}
	if strings.Contains(dotted, "/") {
		r.problem(c.at, "%q: an interface with a dot in its name is not understood", name)
		return "", false
	}
	return dotted, true
}

// canRead reports whether a sysctl can be read. It adds a problem if that depends on more than a module of the node.
func (r *run) canRead(name string, c call) bool {
	r.checkClass(name, c.line)
	switch f := r.setting.fateOf(name); {
	case f == fateMissing:
		return false
	case r.setting.isOfModule(name):
		return r.isPresent(name)
	case !r.setting.existsEverywhere(name) && f != fateNode && f != fateReadOnly:
		r.problem(c.at, "it is not known whether every node has %s", name)
	}
	return true
}

// load runs `sysctl -p FILE...`. The script must have written the files.
func (r *run) load(c call, flags sysctlFlags, names []text) int {
	if len(names) > 1 {
		r.problem(c.at, "sysctl -p with several files: an older busybox loads only the first one")
	}
	if len(names) == 0 {
		names = []text{constant("/etc/sysctl.conf")}
	}
	status := 0
	for _, name := range names {
		content, ok := r.files[name.s]
		if (name.s == "-" || name.s == "/dev/stdin") && r.stdin != nil {
			if input := r.textOf(r.stdin); input.isConstant() {
				content, ok = input.s, true
			}
		}
		if !r.spend(len(content)) {
			return 0
		}
		if !ok || !name.isConstant() {
			r.problem(c.at, "sysctl -p loads %s, which the script does not write", name.s)
			continue
		}
		for _, line := range strings.Split(content, "\n") {
			one, ended := r.loadLine(c, flags, strings.Trim(line, " \t\r"))
			if status = max(status, one); ended {
				return status
			}
		}
	}
	return status
}

// loadLine runs one line of a file. ended is set if the command stops after it.
func (r *run) loadLine(c call, flags sysctlFlags, line string) (status int, ended bool) {
	if line == "" || line[0] == '#' || line[0] == ';' {
		return 0, false
	}
	left, value, ok := strings.Cut(line, "=")
	left, value = strings.Trim(left, " \t"), strings.Trim(value, " \t")
	if !ok || value == "" || strings.HasPrefix(left, "-") || strings.ContainsAny(value, "#;") ||
		strings.ContainsAny(line, "*?[") {
		r.problem(c.at, "the line %q of the file is not understood, or differs between busybox and procps", line)
		return 0, false
	}
	name, ok := r.toolName(left, c)
	if !ok {
		return 0, false
	}
	switch r.writeByTool(name, fold(value), c, r.isOld(flags)) {
	case missing:
		return boolStatus(flags.ignore || r.isBusybox()), false // not an error for busybox
	case denied:
		return boolStatus(r.isBusybox() || !r.countsDenied()), false
	case rejected:
		return 1, r.isBusybox()
	}
	return 0, false
}

// isBusybox reports whether the sysctl command is that of busybox. It is a choice if the image does not decide it.
func (r *run) isBusybox() bool {
	switch image := r.setting.image; {
	case image.busybox && !r.installed:
		return true
	case image.procps:
		return false
	}
	return r.choose(choice{kind: isBusybox})
}

// countsDenied reports whether procps fails after a write that is not permitted. Some versions do not if root may read
// the name but not write it.
func (r *run) countsDenied() bool {
	return r.doubt.kind == doubtRights || r.choose(choice{kind: countsReadOnly})
}

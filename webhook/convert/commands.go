package convert

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

const (
	packageManagers = "apk apt-get apt yum dnf microdnf tdnf zypper install_packages"
	printingOnly    = "id whoami uname date ls which type command wc head tail grep egrep fgrep stat df free pwd " +
		"nproc hostname ulimit"
)

// commandNamed returns the function that simulates a command, or nil if the effect of the command is not fully known.
func commandNamed(name string) func(*run, call) int {
	switch name {
	case "sysctl":
		return (*run).sysctl
	case "echo":
		return (*run).echo
	case "printf":
		return (*run).printf
	case "cat":
		return (*run).cat
	case "tee":
		return (*run).tee
	case "awk":
		return (*run).awk
	case "test", "[", "[[":
		return (*run).testCommand
	case "set":
		return (*run).set
	case "export", "readonly":
		return (*run).export
	case "exit":
		return (*run).exitCommand
	case "exec":
		return (*run).exec
	case "true", ":", "umask", "sync":
		return func(*run, call) int { return 0 }
	case "sleep":
		return (*run).sleep
	case "false":
		return func(*run, call) int { return 1 }
	case "mkdir":
		return (*run).mkdir
	case "mount":
		return (*run).mount
	}
	switch {
	case isWord(name, packageManagers):
		return (*run).install
	case isWord(name, printingOnly):
		return (*run).printOnly
	}
	return nil
}

// isWord reports whether name is one of some words, separated by spaces.
func isWord(name, words string) bool {
	return name != "" && !strings.Contains(name, " ") && strings.Contains(" "+words+" ", " "+name+" ")
}

// dispatch runs a command.
func (r *run) dispatch(c call) int {
	do := commandNamed(c.name)
	if do == nil {
		r.problem(c.at, "%s", whyUnknown(c))
		return 0
	}
	for _, argument := range c.args {
		if argument.opaque && c.name != "echo" {
			r.problem(c.at, "an argument of %s is not known before the script runs", c.name)
		}
	}
	return do(r, c)
}

func whyUnknown(c call) string {
	switch c.name {
	case "nsenter":
		return "nsenter sets the node's value, in the namespaces of another process; " +
			"the annotation would set the pod's value"
	case "chroot", "unshare", "ip":
		return c.name + " does more than set sysctls: it changes what commands act on"
	case "modprobe", "insmod":
		return c.name + " loads a kernel module on the node, which the annotation cannot do"
	case "sh", "bash", "ash", "dash", ".", "source", "eval":
		return c.name + " runs another script, which is not analyzed"
	}
	return c.name + " is not understood: it may do more than set sysctls"
}

// sleep allows short waits only. Some containers wait forever, and the annotation would not.
func (r *run) sleep(c call) int {
	if len(c.args) != 1 || !sysctl.IsWholeNumber(c.args[0].s) || !c.args[0].isConstant() || len(c.args[0].s) > 3 {
		r.problem(c.at, "it waits for more than 999 seconds, or for a time that is not known")
	}
	return 0
}

func (r *run) testCommand(c call) int {
	args := c.args
	closing := map[string]string{"[": "]", "[[": "]]"}[c.name]
	if c.name == "[[" && !r.setting.image.busybox {
		r.problem(c.at, "not every sh supports [[")
	}
	if closing != "" {
		if len(args) == 0 || args[len(args)-1] != constant(closing) {
			r.problem(c.at, "%s without %s", c.name, closing)
			return 0
		}
		args = args[:len(args)-1]
	}
	return r.test(c.line, args, c.name == "[[")
}

// set changes the shell's options.
func (r *run) set(c call) int {
	for i := 0; i < len(c.args); i++ {
		option := c.args[i].s
		if !c.args[i].isConstant() || len(option) < 2 || option[0] != '-' && option[0] != '+' || option == "--" {
			r.problem(c.at, "this set is not understood")
			return 0
		}
		words := 0
		if strings.HasSuffix(option, "o") && i+1 < len(c.args) {
			i++
			words = 1
			r.option(c.args[i].s, option[0] == '-', c.at)
		}
		for _, letter := range option[1 : len(option)-words] {
			r.option(string(letter), option[0] == '-', c.at)
		}
	}
	return 0
}

func (r *run) option(name string, on bool, at syntax.Pos) {
	switch name {
	case "e", "errexit":
		r.errexit = on
	case "x", "v", "u", "xtrace", "verbose", "nounset":
	case "pipefail":
		if r.lang != syntax.LangBash && !r.setting.image.busybox {
			r.problem(at, "not every sh supports pipefail")
		}
		r.pipefail = on
	default:
		r.problem(at, "the shell option %s is not understood", name)
	}
}

func (r *run) exitCommand(c call) int {
	status := r.status
	if len(c.args) > 0 {
		n, ok := number(c.args[0].s)
		if !ok || len(c.args) > 1 || n < 0 || n > 255 || !c.args[0].isConstant() {
			r.problem(c.at, "this exit is not understood")
		}
		status = int(n)
	}
	r.exit(status)
	return status
}

// export sets variables. The parser reports it as a command except for bash, which has a separate statement.
func (r *run) export(c call) int {
	for _, argument := range c.args {
		name, value, sets := strings.Cut(argument.s, "=")
		switch {
		case !syntax.ValidName(name):
			r.problem(c.at, "this %s is not understood", c.name)
		case sets:
			r.setVariable(name, constant(value), c.at)
		}
		if c.name == "readonly" {
			r.readOnly[name] = true
		}
	}
	return 0
}

// exec replaces the shell by a command.
func (r *run) exec(c call) int {
	if len(c.args) == 0 || !c.args[0].isConstant() || strings.HasPrefix(c.args[0].s, "-") {
		r.problem(c.at, "this exec is not understood")
		return 0
	}
	status := r.dispatch(r.callOf(c.args, c.at))
	r.exit(status)
	return status
}

func (r *run) mkdir(c call) int {
	for i, argument := range c.args {
		if i == 0 && argument == constant("-p") {
			continue
		}
		name := argument.s
		if c.args[0] != constant("-p") || !path.IsAbs(name) || r.setting.isMounted(name) || r.setting.readOnlyRoot {
			r.problem(c.at, "this mkdir is not understood")
			return 0
		}
		r.directories[path.Clean(name)] = true
	}
	return 0
}

// mount may remount /proc/sys writable. That has no effect if it is writable already, and its status depends on the
// runtime.
func (r *run) mount(c call) int {
	var words []string
	for _, argument := range c.args {
		words = append(words, strings.Split(argument.s, ",")...)
	}
	last := ""
	if len(words) > 0 {
		last = strings.TrimSuffix(words[len(words)-1], "/")
		words = words[:len(words)-1]
	}
	isRemount := false
	for _, word := range words {
		isRemount = isRemount || word == "remount"
		if !isWord(word, "-o remount rw") {
			last = ""
		}
	}
	if !isRemount || last != "/proc/sys" && last != "/proc" {
		r.problem(c.at, "mount changes more than sysctls")
		return 0
	}
	return boolStatus(r.choose(choice{kind: succeeds, name: "mount"}))
}

// install adds packages to the container only. They may include another sysctl command.
func (r *run) install(c call) int {
	isOfFiles := func(a text) bool { return strings.Contains(a.s, "/") || strings.HasPrefix(a.s, "--root") }
	if slices.ContainsFunc(c.args, isOfFiles) {
		r.problem(c.at, "%s may install into another root or from a file", c.name)
	}
	r.installed = true
	return boolStatus(r.choose(choice{kind: succeeds, name: c.name + " " + words(c.args)}))
}

// printOnly runs a command that only prints text.
func (r *run) printOnly(c call) int {
	isOption := func(letters string) bool {
		return slices.ContainsFunc(c.args, func(a text) bool {
			return strings.HasPrefix(a.s, "-") && (strings.HasPrefix(a.s, "--") || strings.ContainsAny(a.s, letters))
		})
	}
	startsWithDigit := func(a text) bool { return a.s != "" && a.s[0] >= '0' && a.s[0] <= '9' }
	switch {
	case c.name == "tail" && isOption("fF"):
		r.problem(c.at, "tail -f never ends")
	case c.name == "date" && (isOption("s") || slices.ContainsFunc(c.args, startsWithDigit)):
		r.problem(c.at, "date may set the clock")
	case c.name == "hostname" && len(c.args) > 0,
		c.name == "command" && (len(c.args) == 0 || c.args[0] != constant("-v")):
		r.problem(c.at, "this %s is not understood", c.name)
	}
	r.out.write(text{opaque: true})
	return boolStatus(r.choose(choice{kind: succeeds, name: c.name + " " + words(c.args)}))
}

func words(args []text) string {
	all := make([]string, len(args))
	for i, argument := range args {
		all[i] = argument.s
	}
	return strings.Join(all, " ")
}

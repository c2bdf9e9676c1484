package form

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// template is an init container: a file below templates/forms, the only source of all that is the same in every pod.
type template struct {
	file string
	// fits reports whether the container can set a sysctl; nil if it can set each that its form takes.
	fits func(sysctl.Assignment) bool
	// podSecurity is the strictest Pod Security Standard that admits the container by itself, in a minor version of
	// the standards.
	podSecurity func(minor uint) psaapi.Level
	// rejected says what a stricter standard rejects, for a message: "the privileged init container".
	rejected string
	// mark is CEL, as that of the form: which of the form's containers it is. The first template needs none.
	mark string
	// commands are what the container may run. A pod gets the first that can do all its lines.
	commands []*Command
}

// all are the templates of every form, each once.
func all() []*template {
	var found []*template
	for _, f := range table {
		for _, t := range f.templates {
			if !slices.Contains(found, t) {
				found = append(found, t)
			}
		}
	}
	return found
}

// name is that of the template's file, and of the shape in the guard.
func (t *template) name() string { return strings.TrimSuffix(t.file, ".yaml") }

func (t *template) fitsAll(settings []policy.Setting) bool {
	return t.fits == nil || !slices.ContainsFunc(settings, func(s policy.Setting) bool { return !t.fits(s.Assignment) })
}

// commandFor returns the first command that can do all settings.
func (t *template) commandFor(settings []policy.Setting) *Command {
	return t.commands[slices.IndexFunc(t.commands, func(c *Command) bool {
		return !slices.ContainsFunc(settings, func(s policy.Setting) bool { return !c.does(s.Assignment) })
	})]
}

// decode reads the template's file.
func (t *template) decode() (container corev1.Container, err error) {
	err = templates.Decode(templates.Forms, "forms/"+t.file, &container)
	return container, err
}

// in returns the standard in every version of Kubernetes.
func in(level psaapi.Level) func(uint) psaapi.Level { return func(uint) psaapi.Level { return level } }

// Command is what a container runs, and the arguments that it takes: one for each sysctl.
type Command struct {
	Words []string
	// Argument is a regular expression for an argument, from package sysctl.
	Argument string
	does     func(sysctl.Assignment) bool
}

// The commands. The scripts are constants: what a pod asks for only ever becomes an argument.
var (
	// plain sets each sysctl with sysctl -w, without a shell.
	plain = &Command{Words: []string{"sysctl", "-w"}, Argument: sysctl.PlainArgument, does: sysctl.Assignment.IsPlain}
	// scripted also raises values, and skips what a kernel does not have.
	scripted = runs(templates.SetScript)
	// verifying compares, and writes nothing.
	verifying = runs(templates.VerifyScript)
)

func runs(script string) *Command {
	return &Command{
		Words:    []string{Shell, "-ec", script, v1alpha1.ContainerName},
		Argument: sysctl.Argument,
		does:     func(sysctl.Assignment) bool { return true },
	}
}

// Shell is the first word of each command that runs a script.
const Shell = "sh"

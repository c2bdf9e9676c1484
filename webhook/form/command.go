package form

import (
	"slices"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

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

// commandFor returns the first command that can do all settings.
func (t *template) commandFor(settings []policy.Setting) *Command {
	return t.commands[slices.IndexFunc(t.commands, func(c *Command) bool {
		return !slices.ContainsFunc(settings, func(s policy.Setting) bool { return !c.does(s.Assignment) })
	})]
}

package form

import (
	"slices"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// Command is what a container runs, and the arguments that it takes: one for each sysctl.
type Command struct {
	Words []string
	// Argument is a regular expression for an argument, from package sysctl.
	Argument string
	does     func([]policy.Setting) bool
}

// plain sets each sysctl as it stands, without a shell.
var plain = &Command{
	Words:    []string{"sysctl", "-w"},
	Argument: sysctl.PlainArgument,
	does:     func([]policy.Setting) bool { return true },
}

// commandFor returns the first command that can do all settings.
func (t *template) commandFor(settings []policy.Setting) *Command {
	return t.commands[slices.IndexFunc(t.commands, func(c *Command) bool { return c.does(settings) })]
}

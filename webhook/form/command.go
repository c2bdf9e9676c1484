package form

import (
	"slices"

	"github.com/sysctl-injector/sysctl-injector/webhook/policy"
)

// Command is what a container runs, and the arguments that it takes: one for each sysctl.
type Command struct {
	Words []string
	// Argument is a regular expression for an argument, an assignment as package sysctl writes it (a test compares the two). It does
	// not bound lengths, which would make it as long as what it matches, and as costly.
	Argument string
	does     func([]policy.Setting) bool
}

// plain sets each sysctl as it stands, without a shell.
var plain = &Command{
	Words:    []string{"sysctl", "-w"},
	Argument: `^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+=[A-Za-z0-9_,:./+-]+( [A-Za-z0-9_,:./+-]+)*$`,
	does:     func([]policy.Setting) bool { return true },
}

// commandFor returns the first command that can do all settings.
func (t *template) commandFor(settings []policy.Setting) *Command {
	return t.commands[slices.IndexFunc(t.commands, func(c *Command) bool { return c.does(settings) })]
}

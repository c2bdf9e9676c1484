// Package app is the command line. Each subcommand has a file that defines its flags, checks them, and runs it.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // also if a pod was rejected
	exitUsage  = 2
	exitLeft   = 3 // convert succeeded, but left something for a person to look at
)

// usageError is a command that was called wrongly.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Run runs the command line and returns its exit code.
//
// Only serve handles signals. For the other commands, a signal ends the process at once.
func Run(args []string, in io.Reader, out, errOut io.Writer) int {
	return RunAs(programName, args, in, out, errOut)
}

// RunAs is Run for a program with another name: the kubectl plugin has its own.
func RunAs(program string, args []string, in io.Reader, out, errOut io.Writer) int {
	out, errOut = forPeople(out), forPeople(errOut)
	root := newCommand(in, out, errOut)
	if isPlugin(program) {
		asPlugin(root)
	}
	root.SetArgs(args)
	command, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errLeft) {
		return exitLeft
	}
	if errors.Is(err, errNotAllowed) {
		return exitFailed
	}
	fmt.Fprintln(errOut, "error: "+err.Error())
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(errOut, "See '%s --help'.\n", command.CommandPath())
		return exitUsage
	}
	return exitFailed
}

func newCommand(in io.Reader, out, errOut io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "sysctl-injector",
		Short: "Set the kernel parameters that pods ask for, without making the pods privileged",
		Long: `sysctl-injector sets the kernel parameters (sysctls) that pods ask for in an annotation, without
making the pods privileged.

As a webhook (serve), it adds an init container that sets them. inject does the same to manifests.`,
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		SilenceUsage:               true,
	}
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		newServeCommand(), newInjectCommand(), newUninjectCommand(), newConvertCommand(), newCompanionCommand(),
		newExplainCommand(),
		newAuditCommand(), newCheckCommand(), newStatusCommand(), newEnrollCommand(), newUnenrollCommand(),
		newUninstallCheckCommand(),
		newRenderCommand(), newVersionCommand(),
	)
	root.InitDefaultCompletionCmd()
	wrapArgs(root)
	return root
}

// knownCommand rejects an unknown subcommand and suggests a similar one.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q; did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// wrapArgs turns cobra's errors about arguments into usage errors.
func wrapArgs(command *cobra.Command) {
	if check := command.Args; check != nil {
		command.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range command.Commands() {
		wrapArgs(sub)
	}
}

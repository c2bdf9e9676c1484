package app

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

const (
	programName = "sysctl-injector"
	// pluginCommand is the command line of the program as a plugin of kubectl.
	pluginCommand = "kubectl " + programName
)

// isPlugin reports whether kubectl runs the program. For `kubectl sysctl-injector`, it runs kubectl-sysctl_injector.
func isPlugin(program string) bool {
	return strings.HasPrefix(filepath.Base(program), "kubectl-")
}

// asPlugin rewrites the help texts of the program for the plugin.
func asPlugin(root *cobra.Command) {
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: pluginCommand}
	var names []string
	for _, command := range root.Commands() {
		names = append(names, regexp.QuoteMeta(command.Name()))
	}
	calls := regexp.MustCompile(`(^|[^\w./-])` + programName + ` (` + strings.Join(names, "|") + `)\b`)
	rewrite(root, func(text string) string { return calls.ReplaceAllString(text, "${1}"+pluginCommand+" ${2}") })
}

// rewrite replaces the help texts of a command and its subcommands.
func rewrite(cmd *cobra.Command, replace func(string) string) {
	cmd.Example, cmd.Long = replace(cmd.Example), replace(cmd.Long)
	for _, sub := range cmd.Commands() {
		rewrite(sub, replace)
	}
}

package app

import (
	"path/filepath"
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

// asPlugin rewrites the texts of a command and its subcommands for the plugin.
func asPlugin(cmd *cobra.Command) {
	if !cmd.HasParent() {
		cmd.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: pluginCommand}
	}
	cmd.Example = pluginText(cmd.Example)
	cmd.Long = pluginText(cmd.Long)
	for _, sub := range cmd.Commands() {
		asPlugin(sub)
	}
}

// pluginText replaces calls of the program in a text by calls of the plugin: at the start of a line, and after a pipe
// or a quote.
func pluginText(text string) string {
	for _, before := range []string{"\n  ", "| ", "`"} {
		text = strings.ReplaceAll(text, before+programName+" ", before+pluginCommand+" ")
	}
	if rest, ok := strings.CutPrefix(text, "  "+programName+" "); ok {
		text = "  " + pluginCommand + " " + rest
	}
	return text
}

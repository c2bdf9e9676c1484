package app

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

const (
	programName = "sysctl-injector"
	// pluginCommand is how a person calls the program as a plugin of kubectl.
	pluginCommand = "kubectl " + programName
)

// isPlugin reports whether kubectl has called the program: it runs kubectl-sysctl_injector for `kubectl
// sysctl-injector`.
func isPlugin(program string) bool {
	return strings.HasPrefix(filepath.Base(program), "kubectl-")
}

// asPlugin makes the texts of a command, and of those below it, those of a plugin.
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

// pluginText writes the calls of the program in a text as calls of the plugin: at the start of a line, behind a pipe
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

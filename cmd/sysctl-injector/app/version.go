package app

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker: -X …/app.version=v1.2.3.
var version string

// buildVersion is the version that was linked in, or else the module's own, as `go install` leaves it.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// Build is what `version -o yaml` tells.
type Build struct {
	Version   string `json:"version"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

func newVersionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			build := Build{buildVersion(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if output == "" {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "sysctl-injector %s (%s, %s)\n", build.Version, build.GoVersion, build.Platform)
				return err
			}
			return printAs(cmd.OutOrStdout(), output, build)
		},
	}
	addOutputFlag(cmd, &output, "", outputYAML, outputJSON)
	return cmd
}

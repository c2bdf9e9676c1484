// Command run keeps a cluster for people: up, down and status.
package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

func main() {
	if newRoot().Execute() != nil {
		os.Exit(1)
	}
}

// options say what a cluster has.
type options struct{ node, install bool }

func newRoot() *cobra.Command {
	var dir string
	var o options
	root := &cobra.Command{
		Use:          "run",
		Short:        "Keep a Kubernetes cluster on this machine, to try things on",
		SilenceUsage: true,
	}
	root.PersistentFlags().StringVar(&dir, "dir", filepath.Join(".cache", "cluster"),
		"where the kubeconfig, keys and logs go")
	add := func(command *cobra.Command, run func(*cobra.Command, string) error) *cobra.Command {
		command.Args = cobra.NoArgs
		command.RunE = func(cmd *cobra.Command, _ []string) error {
			dir, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			return run(cmd, dir)
		}
		root.AddCommand(command)
		return command
	}
	withOptions := func(run func(*cobra.Command, string, options) error) func(*cobra.Command, string) error {
		return func(cmd *cobra.Command, dir string) error {
			o.node = o.node || o.install
			return run(cmd, dir, o)
		}
	}
	for _, command := range []*cobra.Command{
		add(&cobra.Command{Use: "up", Short: "Start the cluster, building Kubernetes first if need be"},
			withOptions(up)),
		add(&cobra.Command{Use: "supervise", Hidden: true}, withOptions(supervise)),
	} {
		command.Flags().BoolVar(&o.node, "node", false, "with a node for pods to run on; needs root and containerd")
		command.Flags().BoolVar(&o.install, "install", false,
			"with a node, and the chart installed with the image of this checkout")
	}
	add(&cobra.Command{Use: "down", Short: "Stop the cluster and remove all but its logs"}, down)
	add(&cobra.Command{Use: "status", Short: "Say whether the cluster runs and how to use it"}, status)
	add(&cobra.Command{Use: "can-node", Short: "Say whether this machine can run a node, or what it lacks"},
		func(*cobra.Command, string) error {
			return cluster.NodeSupported()
		})
	root.AddCommand(&cobra.Command{
		Use: "build [MODULE...]",
		Short: "Build what the suites run, or some of the modules below e2e/ (kubernetes/1.31), into the user's " +
			"cache directory",
		RunE: build,
	})
	return root
}

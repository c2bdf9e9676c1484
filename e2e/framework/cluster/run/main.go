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

func newRoot() *cobra.Command {
	var dir string
	var node bool
	root := &cobra.Command{
		Use:          "run",
		Short:        "Keep a Kubernetes cluster on this machine, to try things on",
		SilenceUsage: true,
	}
	root.PersistentFlags().StringVar(&dir, "dir", filepath.Join(".cache", "cluster"), "where the kubeconfig, keys and logs go")
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
	withNode := func(run func(*cobra.Command, string, bool) error) func(*cobra.Command, string) error {
		return func(cmd *cobra.Command, dir string) error { return run(cmd, dir, node) }
	}
	for _, command := range []*cobra.Command{
		add(&cobra.Command{Use: "up", Short: "Start the cluster, building Kubernetes first if need be"}, withNode(up)),
		add(&cobra.Command{Use: "supervise", Hidden: true}, withNode(supervise)),
	} {
		command.Flags().BoolVar(&node, "node", false, "with a node for pods to run on; needs root and containerd")
	}
	add(&cobra.Command{Use: "down", Short: "Stop the cluster and remove all but its logs"}, down)
	add(&cobra.Command{Use: "status", Short: "Say whether the cluster runs and how to use it"}, status)
	add(&cobra.Command{Use: "can-node", Short: "Say whether this machine can run a node, or what it lacks"}, func(*cobra.Command, string) error {
		return cluster.NodeSupported()
	})
	root.AddCommand(&cobra.Command{
		Use:   "build [MODULE...]",
		Short: "Build what the suites run, or some of the modules below e2e/ (kubernetes/1.31), into the user's cache directory",
		RunE:  build,
	})
	return root
}

// Command run keeps a cluster for people: up, down and status.
package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func main() {
	if newRoot().Execute() != nil {
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	var dir string
	root := &cobra.Command{
		Use:          "run",
		Short:        "Keep a Kubernetes control plane on this machine, to try things on",
		SilenceUsage: true,
	}
	root.PersistentFlags().StringVar(&dir, "dir", filepath.Join(".cache", "cluster"), "where the kubeconfig, keys and logs go")
	add := func(command *cobra.Command, run func(*cobra.Command, string) error) {
		command.Args = cobra.NoArgs
		command.RunE = func(cmd *cobra.Command, _ []string) error {
			dir, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			return run(cmd, dir)
		}
		root.AddCommand(command)
	}
	add(&cobra.Command{Use: "up", Short: "Start the cluster, building Kubernetes first if need be"}, up)
	add(&cobra.Command{Use: "down", Short: "Stop the cluster and remove all but its logs"}, down)
	add(&cobra.Command{Use: "status", Short: "Say whether the cluster runs and how to use it"}, status)
	add(&cobra.Command{Use: "build", Short: "Build Kubernetes into the user's cache directory, if need be"}, build)
	add(&cobra.Command{Use: "supervise", Hidden: true}, supervise)
	return root
}

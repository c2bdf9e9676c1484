package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// build builds the named modules below e2e/, or everything that the suites run on this machine: Kubernetes first,
// since nothing works without it.
func build(cmd *cobra.Command, names []string) error {
	if len(names) == 0 {
		var err error
		if names, err = everything(cmd); err != nil {
			return err
		}
	}
	for _, name := range names {
		built, err := tools.Ensure(cmd.Context(), name, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s is in %s\n", name, built.Version, built.Dir)
	}
	return nil
}

// everything returns the modules to build, and says which ones it leaves out.
func everything(cmd *cobra.Command) ([]string, error) {
	versions, err := tools.KubernetesVersions()
	if err != nil {
		return nil, err
	}
	names, err := tools.Names()
	if err != nil {
		return nil, err
	}
	if lacks := cluster.NodeSupported(); lacks != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s are not built: %v\n", strings.Join(cluster.NodeTools, " and "), lacks)
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(cluster.NodeTools, name) })
	}
	return append([]string{tools.Kubernetes + "/" + versions[len(versions)-1]}, names...), nil
}

// up starts a supervisor, which owns the cluster as a test's process does. To stop the cluster, stop the supervisor. If
// the supervisor is killed, the kernel ends the cluster with it.
func up(cmd *cobra.Command, dir string, o options) error {
	if s, err := readState(dir); err == nil && s.Supervisor.Alive() {
		if o.node && !s.Node || o.install && !s.Installed {
			return errors.New("a cluster is up already that has less than is asked for: `down` ends it")
		}
		fmt.Fprintln(cmd.OutOrStdout(), "The cluster is up already.")
		s.print(cmd.OutOrStdout())
		return nil
	}
	if o.node {
		if err := cluster.NodeSupported(); err != nil {
			return err
		}
	}
	// Here and not in the supervisor, so that the progress appears at this terminal.
	if _, err := cluster.EnsureBinaries(cmd.Context(), cluster.Config{Node: o.node,
		Progress: cmd.ErrOrStderr()}); err != nil {
		return err
	}
	if o.install {
		if _, err := tools.Ensure(cmd.Context(), "helm", cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := startSupervisor(dir, o); err != nil {
		return err
	}
	s, err := readState(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Kubernetes %s is up.\n", s.Version)
	s.print(cmd.OutOrStdout())
	return nil
}

func startSupervisor(dir string, o options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	logPath := filepath.Join(dir, "supervisor.log")
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	ready, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	supervisor := exec.Command(self, "supervise", "--dir", dir, fmt.Sprintf("--node=%t", o.node),
		fmt.Sprintf("--install=%t", o.install))
	supervisor.Stdout, supervisor.Stderr = log, log
	supervisor.ExtraFiles = []*os.File{theirs}
	detach(supervisor)
	err = supervisor.Start()
	_ = theirs.Close()
	if err != nil {
		return err
	}
	// If the supervisor fails or dies, the pipe closes without the word.
	if word, err := io.ReadAll(ready); err == nil && string(word) == readyWord {
		return nil
	}
	reason, err := os.ReadFile(logPath)
	if err != nil {
		return err
	}
	return errors.New("the cluster did not start:\n" + string(reason))
}

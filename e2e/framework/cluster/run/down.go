package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// patience is how long the supervisor may take to stop a cluster, which is done in well under a second.
const patience = 20 * time.Second

func down(cmd *cobra.Command, dir string) error {
	s, err := readState(dir)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(cmd.OutOrStdout(), "No cluster in %s.\n", dir)
		return nil
	}
	if err != nil {
		return err
	}
	if err := end(s.Supervisor); err != nil {
		return err
	}
	// The supervisor may not have removed it.
	s.remove()
	cluster.RemoveStale()
	if err := cluster.RemoveCredentials(dir); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "The cluster is down. Its logs are in %s.\n", s.logs())
	return nil
}

// end terminates a process, and kills it if it does not end in time. It leaves another process with the same id alone.
func end(supervisor cluster.Identity) error {
	// Found first and then checked: on Linux the handle stays with this process even if its id is given to another.
	process, err := os.FindProcess(supervisor.PID)
	if err != nil || !supervisor.Alive() {
		return nil
	}
	defer func() { _ = process.Release() }()
	if err := process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the supervisor, process %d: %w", supervisor.PID, err)
	}
	for deadline := time.Now().Add(patience); supervisor.Alive(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return process.Kill()
		}
	}
	return nil
}

func status(cmd *cobra.Command, dir string) error {
	s, err := readState(dir)
	if err != nil || !s.Supervisor.Alive() {
		return fmt.Errorf("no cluster runs in %s", dir)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Kubernetes %s is up.\n", s.Version)
	s.print(cmd.OutOrStdout())
	return nil
}

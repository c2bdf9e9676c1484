// Package handler builds the OCI runtime of pods that have a kernel of their own, for a node of e2e/cluster.
package handler

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Name is what the node's containerd calls the runtime.
const Name = "uml"

// Build builds the runtime into a folder. Where the machine has no user-mode Linux for it, the error is an exec.ErrNotFound.
func Build(ctx context.Context, dir string) (program string, err error) {
	if _, err := exec.LookPath("linux.uml"); err != nil {
		return "", fmt.Errorf("no user-mode Linux (`apt-get install user-mode-linux` on Debian and Ubuntu): %w", err)
	}
	program = filepath.Join(dir, "guest")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "github.com/sysctl-injector/sysctl-injector/e2e/guest")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0") // the guest has no libraries of its own
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build the guests' runtime: %w", err), errors.New(string(output)))
	}
	return program, nil
}

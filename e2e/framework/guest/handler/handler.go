// Package handler builds the OCI runtime of pods that have a kernel of their own, for a node of
// e2e/framework/cluster.
package handler

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Name is what the node's containerd calls the runtime.
const Name = "uml"

// ErrProcessor says that user-mode Linux is installed but does not run on this processor.
var ErrProcessor = errors.New("user-mode Linux does not run on this processor")

// Build builds the runtime into a folder. Where the machine has no user-mode Linux for it, the error is an
// exec.ErrNotFound, and an ErrProcessor where it has one that does not run.
func Build(ctx context.Context, dir string) (program string, err error) {
	if _, err := exec.LookPath("linux.uml"); err != nil {
		return "", fmt.Errorf("no user-mode Linux (`apt-get install user-mode-linux` on Debian and Ubuntu): %w", err)
	}
	if err := boot(ctx, dir); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "guest")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program,
		"github.com/sysctl-injector/sysctl-injector/e2e/framework/guest")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0") // the guest has no libraries of its own
	if output, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build the guests' runtime: %w", err), errors.New(string(output)))
	}
	return program, nil
}

// boot starts a user-mode Linux whose first process ends at once, so that it always panics. What counts is how far it
// gets: Debian's Linux 6.1 cannot restore the registers of its processes on a host whose processor has AMX, since the
// host takes only a whole register set (arch/x86/kernel/fpu/regset.c, xstateregs_set), and that is larger than Linux
// 6.1 knows.
func boot(ctx context.Context, dir string) error {
	args := []string{"mem=64M", "rootfstype=hostfs", "ro", "init=/bin/true", "uml_dir=" + dir}
	output, _ := exec.CommandContext(ctx, "linux.uml", args...).CombinedOutput()
	return judge(string(output))
}

// judge reads what a user-mode Linux printed.
func judge(console string) error {
	if strings.Contains(console, "ptrace set fp regs failed") {
		return fmt.Errorf("%w: it cannot set the registers of its processes", ErrProcessor)
	}
	return nil
}

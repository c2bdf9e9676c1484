//go:build !linux

package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
)

func supported() error {
	return fmt.Errorf("a test cluster needs Linux, and this is %s", runtime.GOOS)
}

func dieWithParent(*exec.Cmd) {}

func lockFile(context.Context, string, func()) (func(), error) { return nil, supported() }

func memoryDirectory() string { return "" }

func identify(int) (Identity, error) { return Identity{}, supported() }

func newNamespace(string) (network, error) { return nil, supported() }

func removeStaleNamespaces() {}

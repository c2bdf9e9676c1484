//go:build !linux

package cluster

import (
	"fmt"
	"os/exec"
	"runtime"
)

func supported() error {
	return fmt.Errorf("a test cluster needs Linux, and this is %s", runtime.GOOS)
}

func dieWithParent(*exec.Cmd) {}

func memoryDirectory() string { return "" }

func identify(int) (Identity, error) { return Identity{}, supported() }

func newNamespace(string) (network, error) { return nil, supported() }

func removeStaleNamespaces() {}

//go:build !linux

package tools

import (
	"context"
	"errors"
	"os/exec"
)

func dieWithParent(*exec.Cmd) {}

func lockFile(context.Context, string, func()) (func(), error) {
	return nil, errors.New("the suites need Linux")
}

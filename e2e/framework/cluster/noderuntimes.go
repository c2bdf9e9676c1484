package cluster

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// runtimesDir is the folder of Config.Runtimes in the node's directory.
const runtimesDir = "runtimes"

// containerdFile has containerd's settings.
const containerdFile = "containerd.toml"

// runtimeSettings make a handler of an OCI runtime. A privileged container gets none of the machine's devices: what a
// runtime like this has of its own would not know them.
const runtimeSettings = `
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.%[1]s]
  runtime_type = "io.containerd.runc.v2"
  privileged_without_host_devices = true

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.%[1]s.options]
  BinaryName = "/run/node/` + runtimesDir + `/%[1]s"
`

var handlerName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func validateRuntimes(config Config) error {
	if len(config.Runtimes) > 0 && !config.Node {
		return errors.New("field Runtimes: there is no node for them")
	}
	for handler := range config.Runtimes {
		if !handlerName.MatchString(handler) || handler == "runc" {
			return fmt.Errorf("field Runtimes: %q is no name for a further handler", handler)
		}
	}
	return nil
}

// addRuntimes copies runtimes to where the node sees them, and adds them to its containerd's settings.
func addRuntimes(dir string, runtimes map[string]string) error {
	if len(runtimes) == 0 {
		return nil
	}
	if err := os.Mkdir(filepath.Join(dir, runtimesDir), 0o700); err != nil {
		return err
	}
	settings, err := os.ReadFile(filepath.Join(dir, containerdFile))
	if err != nil {
		return err
	}
	for _, handler := range slices.Sorted(maps.Keys(runtimes)) {
		program, err := os.ReadFile(runtimes[handler])
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, runtimesDir, handler), program, 0o700); err != nil {
			return err
		}
		settings = fmt.Appendf(settings, runtimeSettings, handler)
	}
	return os.WriteFile(filepath.Join(dir, containerdFile), settings, 0o600)
}

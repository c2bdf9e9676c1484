//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// container is the stored state of a container between two commands. A sandbox is a container too.
type container struct {
	dir     string
	ID      string
	Sandbox string // its own id where it is the sandbox
	Bundle  string
	PID     int // of the process that stands for it on this machine
}

const stateFile = "state.json"

func load(root, id string) (container, error) {
	c := container{dir: filepath.Join(root, id)}
	content, err := os.ReadFile(filepath.Join(c.dir, stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return c, fmt.Errorf("container %q does not exist", id) // as runc says it
	}
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(content, &c)
}

func (c container) save() error {
	content, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, stateFile), content, 0o600)
}

func (c container) isSandbox() bool { return c.ID == c.Sandbox }

// sandbox is the container's guest, or itself.
func (c container) sandbox() container {
	return container{dir: filepath.Join(filepath.Dir(c.dir), c.Sandbox), ID: c.Sandbox, Sandbox: c.Sandbox}
}

func (c container) socket() string { return filepath.Join(c.dir, "socket") }

// Annotations by which containerd's CRI plugin says what a container is to its pod.
const (
	typeAnnotation    = "io.kubernetes.cri.container-type"
	sandboxAnnotation = "io.kubernetes.cri.sandbox-id"
)

func create(root, id, bundle, pidFile string) (err error) {
	spec, err := readSpec(bundle)
	if err != nil {
		return err
	}
	c := container{dir: filepath.Join(root, id), ID: id, Sandbox: id, Bundle: bundle}
	annotations := spec.object("annotations")
	if annotations[typeAnnotation] == "container" {
		c.Sandbox, _ = annotations[sandboxAnnotation].(string)
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(c.dir)
		}
	}()
	// The keeper reads what is saved here.
	if err := c.save(); err != nil {
		return err
	}
	if c.isSandbox() {
		c.PID, err = stay(pidFile, keeperCommand, c.dir)
	} else {
		c.PID, err = stay(pidFile, attachCommand, c.sandbox().dir, opCreate, id, bundle)
	}
	if err != nil {
		return err
	}
	return c.save()
}

func start(root, id string) error {
	c, err := load(root, id)
	if err != nil || c.isSandbox() {
		return err
	}
	return call(c.sandbox(), message{Op: opStart, ID: id})
}

func execute(root, id, process, pidFile string) error {
	c, err := load(root, id)
	if err != nil {
		return err
	}
	if c.isSandbox() {
		return errors.New("nothing can be executed in a sandbox: it is a guest without containers")
	}
	_, err = stay(pidFile, attachCommand, c.sandbox().dir, opExec, id, process)
	return err
}

func kill(root, id string, signal int, all bool) error {
	c, err := load(root, id)
	if err != nil {
		return err
	}
	if !c.isSandbox() {
		return call(c.sandbox(), message{Op: opKill, ID: id, Signal: signal, All: all})
	}
	// Every signal ends the guest.
	if syscall.Kill(c.PID, syscall.SIGTERM) != nil {
		return errNotRunning
	}
	return nil
}

func remove(root, id string, force bool) error {
	c, err := load(root, id)
	if err != nil {
		if force {
			return nil
		}
		return err
	}
	if c.isSandbox() {
		_ = syscall.Kill(c.PID, syscall.SIGTERM) // it has already ended, unless this is forced
	} else if err := call(c.sandbox(), message{Op: opDelete, ID: id}); err != nil && !errors.Is(err, errNotRunning) {
		return err
	}
	return os.RemoveAll(c.dir)
}

func printState(out io.Writer, root, id string) error {
	c, err := load(root, id)
	if err != nil {
		return err
	}
	status := "running"
	if syscall.Kill(c.PID, 0) != nil {
		status = "stopped"
	}
	return json.NewEncoder(out).Encode(map[string]any{"ociVersion": "1.0.2", "id": id, "pid": c.PID, "status": status,
		"bundle": c.Bundle})
}

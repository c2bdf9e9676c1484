package convert_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sysctl-injector/sysctl-injector/webhook/convert"
)

// world is the network and IPC namespaces of the thread, with the files of all their sysctls.
type world struct {
	files   map[string]*os.File
	initial map[string]string
	now     map[string]string // the last values read; nil if something was written after that
	// spoilt is set if an interface has its own values. It then does not follow the default any more.
	spoilt bool
}

func newWorld() (*world, error) {
	if err := syscall.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnshare, err)
	}
	w := &world{files: map[string]*os.File{}}
	for _, folder := range []string{"net", "kernel", "fs/mqueue"} {
		err := filepath.WalkDir("/proc/sys/"+folder, func(path string, entry fs.DirEntry, err error) error {
			name := strings.ReplaceAll(strings.TrimPrefix(path, "/proc/sys/"), "/", ".")
			if err != nil || entry.IsDir() || !convert.IsOfPod(name) {
				return err
			}
			if f, err := os.Open(path); err == nil { // some are write-only
				w.files[name] = f
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	w.initial = w.values()
	return w, nil
}

// values reads every sysctl. It leaves out values that cannot be read (a secret that is not set).
func (w *world) values() map[string]string {
	all := make(map[string]string, len(w.files))
	buffer := make([]byte, 4096)
	for name, f := range w.files {
		if n, _ := f.ReadAt(buffer, 0); n > 0 {
			all[name] = string(bytes.TrimSpace(buffer[:n]))
		}
	}
	return all
}

// outcome is the result of a command.
type outcome struct {
	failed string
	values map[string]string
}

// outcome runs a command in a world with its initial values and the values of before.
func (w *world) outcome(before map[string]string, command *exec.Cmd, commands string) (outcome, error) {
	if err := w.reset(before); err != nil {
		return outcome{}, err
	}
	if name := command.Args[0]; !filepath.IsAbs(name) {
		command.Path, command.Err = filepath.Join(commands, name), nil
	}
	command.Env = []string{"PATH=" + commands}
	w.spoilt = w.spoilt || strings.Contains(strings.ReplaceAll(strings.Join(command.Args, " "), "/", "."), "conf.lo.")
	out, err := command.CombinedOutput()
	w.now = w.values()
	result := outcome{values: w.now}
	if err != nil {
		result.failed = fmt.Sprintf("%v: %s", err, out)
	}
	return result, nil
}

// reset sets every sysctl to its initial value, and then to that of before. If that fails, it creates new namespaces.
func (w *world) reset(before map[string]string) error {
	for round := 0; round < 5 && !w.spoilt; round++ {
		different := false
		if w.now == nil {
			w.now = w.values()
		}
		for name, value := range w.now {
			switch {
			case value == w.initial[name]:
				continue
			case strings.Contains(name, ".conf.lo."): // it follows the default
				w.spoilt = round > 0
			default:
				_ = write(name, w.initial[name]) // the next round checks the value
			}
			different = true
		}
		w.now = nil
		if !different {
			for name, value := range before {
				_ = write(name, value)
			}
			return nil
		}
	}
	for _, f := range w.files {
		_ = f.Close()
	}
	fresh, err := newWorld()
	if err != nil {
		return err
	}
	*w = *fresh
	return w.reset(before)
}

func write(name, value string) error {
	return os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0)
}

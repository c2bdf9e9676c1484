//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Paths in the guest.
const (
	machineDir    = "/run/machine" // the node's root directory
	containersDir = "/run/containers"
	serialLine    = "/dev/ttyS0"
)

// agent is the guest's first process.
type agent struct {
	*link
	runc runc

	mu      sync.Mutex
	running map[int]int // process ids by session
}

// serveGuest carries out the keeper's requests until the keeper ends the guest.
func serveGuest() error {
	for _, m := range []struct{ kind, path, data string }{
		{"proc", "/proc", ""},
		{"sysfs", "/sys", ""},
		{"tmpfs", "/run", ""},
		{"devpts", "/dev/pts", ""},
		{"tmpfs", "/dev/shm", ""},
		{"cgroup2", "/sys/fs/cgroup", ""},
		{"hostfs", machineDir, "/"},
	} {
		if err := mount(m.kind, m.path, m.data); err != nil {
			return err
		}
	}
	if err := os.Setenv("PATH", machineDir+"/run/programs/runc:/usr/sbin:/usr/bin:/sbin:/bin"); err != nil {
		return err
	}
	line, err := os.OpenFile(serialLine, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	if err := makeRaw(line); err != nil {
		return fmt.Errorf("make %s raw: %w", serialLine, err)
	}
	a := &agent{link: newLink(line), runc: runc{children: newChildren()}, running: map[int]int{}}
	go a.runc.children.reap()
	if err := a.send(message{Op: opHello}); err != nil {
		return err
	}
	for {
		m, err := a.receive()
		if err != nil {
			return err
		}
		if m.Op == opEnd {
			return nil
		}
		go a.do(m)
	}
}

// powerOff ends the guest. It prints the error to the console.
func powerOff(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func mount(kind, path, data string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(kind, path, kind, 0, data); err != nil {
		return fmt.Errorf("mount %s: %w", path, err)
	}
	return nil
}

// makeRaw makes a line carry bytes unchanged.
func makeRaw(line *os.File) error {
	settings, err := unix.IoctlGetTermios(int(line.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	settings.Iflag, settings.Oflag, settings.Lflag = 0, 0, 0
	settings.Cflag = settings.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8 | unix.CREAD | unix.CLOCAL
	settings.Cc[unix.VMIN], settings.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(int(line.Fd()), unix.TCSETS, settings)
}

func (a *agent) do(m message) {
	var err error
	switch m.Op {
	case opSet:
		err = setSysctls(m.Sysctls)
	case opStart:
		err = a.runc.run("start", m.ID)
	case opKill:
		args := []string{"kill", m.ID, fmt.Sprint(m.Signal)}
		if m.All {
			args = []string{"kill", "--all", m.ID, fmt.Sprint(m.Signal)}
		}
		err = a.runc.run(args...)
	case opDelete:
		err = a.remove(m.ID)
	case opCreate:
		a.follow(m, a.create)
		return
	case opExec:
		a.follow(m, a.execute)
		return
	case opHangUp:
		a.hangUp(m.Session)
		return
	default:
		err = fmt.Errorf("the guest does not know how to %s", m.Op)
	}
	a.done(m, err)
}

func (a *agent) done(m message, err error) {
	answer := message{Session: m.Session, Op: opDone}
	if err != nil {
		answer.Error = err.Error()
	}
	_ = a.send(answer) // without a line there is no receiver
}

// follow starts a process, hands over what it writes, and at last its exit code.
func (a *agent) follow(m message, start func(message, *streams) (process, error)) {
	output, err := newStreams(func(stream int, data []byte) {
		_ = a.send(message{Session: m.Session, Op: opOutput, Stream: stream, Data: data})
	})
	if err != nil {
		a.done(m, err)
		return
	}
	started, err := start(m, output)
	output.started()
	if err == nil {
		a.mu.Lock()
		a.running[m.Session] = started.pid
		a.mu.Unlock()
	}
	a.done(m, err)
	if err != nil {
		return
	}
	code := <-started.exited
	a.mu.Lock()
	delete(a.running, m.Session)
	a.mu.Unlock()
	output.wait()
	_ = a.send(message{Session: m.Session, Op: opExit, Code: code})
}

// hangUp kills a process when the process that stood for it on the machine is gone.
func (a *agent) hangUp(session int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if pid, found := a.running[session]; found {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

func (a *agent) create(m message, output *streams) (process, error) {
	dir := filepath.Join(containersDir, m.ID)
	spec, err := readSpec(filepath.Join(machineDir, m.Path))
	if err != nil {
		return process{}, err
	}
	root := filepath.Join(dir, "rootfs")
	if err := mount("hostfs", root, spec.rootIn(m.Path)); err != nil {
		return process{}, err
	}
	if err := spec.fit(m.ID, root).write(filepath.Join(dir, specFile)); err != nil {
		return process{}, err
	}
	return a.runc.start(output, filepath.Join(dir, "pid"), "create", "--bundle", dir, m.ID)
}

func (a *agent) execute(m message, output *streams) (process, error) {
	spec, err := readObject(filepath.Join(machineDir, m.Path))
	if err != nil {
		return process{}, err
	}
	spec.fitProcess()
	path := filepath.Join(containersDir, m.ID, fmt.Sprintf("exec-%d", m.Session))
	if err := spec.write(path); err != nil {
		return process{}, err
	}
	return a.runc.start(output, path+".pid", "exec", "--detach", "--process", path, m.ID)
}

func (a *agent) remove(id string) error {
	if err := a.runc.run("delete", "--force", id); err != nil {
		return err
	}
	root := filepath.Join(containersDir, id, "rootfs")
	if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", root, err)
	}
	return os.RemoveAll(filepath.Dir(root))
}

func setSysctls(sysctls map[string]string) error {
	for name, value := range sysctls {
		if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

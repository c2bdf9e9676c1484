//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	bootPatience = time.Minute
	endPatience  = 3 * time.Second
)

// keep boots a guest, and represents it until a signal ends it.
func keep(c container) int {
	starting := starter()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	g, err := boot(c)
	if err != nil {
		fmt.Fprint(starting, err)
		return lost
	}
	defer g.end()
	listener, err := net.Listen("unix", c.socket())
	if err != nil {
		fmt.Fprint(starting, err)
		return lost
	}
	fmt.Fprint(starting, readyWord)
	_ = starting.Close()
	go g.forward()
	go g.accept(listener)
	select {
	case <-signals:
		return 128 + int(syscall.SIGTERM)
	case <-g.gone:
		return lost
	}
}

// guest is a running kernel, as its keeper sees it.
type guest struct {
	*link
	cmd  *exec.Cmd
	gone chan struct{} // closed at the kernel's end

	mu       sync.Mutex
	sessions map[int]*link
}

// boot starts a kernel and returns when its first process has set the pod's own sysctls.
func boot(c container) (*guest, error) {
	c, err := load(filepath.Split(c.dir))
	if err != nil {
		return nil, err
	}
	spec, err := readSpec(c.Bundle)
	if err != nil {
		return nil, err
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make the serial line: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "serial line"), os.NewFile(uintptr(fds[1]), "serial line")
	defer theirs.Close()
	console, err := os.Create(filepath.Join(c.dir, "console"))
	if err != nil {
		return nil, err
	}
	defer console.Close()
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// The kernel makes a socket in a folder of its own, and a socket's path may have no more than 107 characters.
	root, name := filepath.Dir(c.dir), "uml-"+c.ID[:min(len(c.ID), 12)]
	cmd := exec.Command("linux.uml", "mem=512M", "uml_dir="+root, "umid="+name,
		"rootfstype=hostfs", "rootflags=/", "ro", "quiet", "panic=-1",
		"con=null", "con0=null,fd:1", "ssl=null", "ssl0=fd:3,fd:3", "init="+program)
	// The guest's memory is a file there. Elsewhere, as in a container's small /dev/shm, there may be no room for it.
	cmd.Env = append(os.Environ(), "TMPDIR="+c.dir)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it is many processes, and they end together
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	g := &guest{link: newLink(ours), cmd: cmd, gone: make(chan struct{}), sessions: map[int]*link{}}
	go func() {
		_ = cmd.Wait()
		_ = os.RemoveAll(filepath.Join(root, name))
		close(g.gone)
	}()
	late := time.AfterFunc(bootPatience, g.kill)
	defer late.Stop()
	if err := g.greet(spec.sysctls()); err != nil {
		g.kill()
		said, _ := os.ReadFile(console.Name())
		return nil, fmt.Errorf("boot the guest: %w: %s", err, said)
	}
	return g, nil
}

func (g *guest) greet(sysctls map[string]string) error {
	for {
		m, err := g.receive()
		if err != nil {
			return err
		}
		if m.Op == opHello {
			break
		}
	}
	if err := g.send(message{Op: opSet, Sysctls: sysctls}); err != nil {
		return err
	}
	return g.answer()
}

// forward passes each message of the guest to its session.
func (g *guest) forward() {
	for {
		m, err := g.receive()
		if err != nil {
			return
		}
		g.mu.Lock()
		session := g.sessions[m.Session]
		g.mu.Unlock()
		if session != nil {
			_ = session.send(m) // a session that has hung up needs no answer
		}
	}
}

// accept makes a session of each connection.
func (g *guest) accept(listener net.Listener) {
	for number := 1; ; number++ {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go g.serve(number, connection)
	}
}

func (g *guest) serve(number int, connection net.Conn) {
	defer connection.Close()
	session := newLink(connection)
	g.mu.Lock()
	g.sessions[number] = session
	g.mu.Unlock()
	for {
		m, err := session.receive()
		if err != nil {
			break
		}
		m.Session = number
		_ = g.send(m) // a guest that is gone ends the keeper
	}
	g.mu.Lock()
	delete(g.sessions, number)
	g.mu.Unlock()
	_ = g.send(message{Session: number, Op: opHangUp})
}

// end gives the guest time to write what it has in memory.
func (g *guest) end() {
	_ = g.send(message{Op: opEnd})
	select {
	case <-g.gone:
	case <-time.After(endPatience):
	}
	g.kill()
}

func (g *guest) kill() { _ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) }

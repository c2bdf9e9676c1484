//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// runc runs the guest's runc, one command at a time.
type runc struct{ children *children }

const runcLog = "/run/runc.log"

func (r runc) command(args []string) *exec.Cmd {
	return exec.Command("runc", append([]string{"--root=/run/runc", "--log=" + runcLog}, args...)...)
}

// run runs a command that leaves nothing behind.
func (r runc) run(args ...string) error {
	r.children.one.Lock()
	defer r.children.one.Unlock()
	return r.end(r.command(args))
}

// process is one that a command of runc has left behind.
type process struct {
	pid    int
	exited <-chan int
}

// start runs a command that leaves a process behind, whose output is the one given.
func (r runc) start(output *streams, pidFile, verb string, args ...string) (process, error) {
	r.children.one.Lock()
	defer r.children.one.Unlock()
	cmd := r.command(append([]string{verb, "--pid-file", pidFile}, args...))
	cmd.Stdout, cmd.Stderr = output.writers[0], output.writers[1]
	if err := r.end(cmd); err != nil {
		return process{}, err
	}
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return process{}, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return process{}, err
	}
	return process{pid, r.children.expect(pid)}, nil
}

// end runs a command to its end.
func (r runc) end(cmd *exec.Cmd) error {
	_ = os.Remove(runcLog)
	r.children.forget()
	if err := cmd.Start(); err != nil {
		return err
	}
	if code := <-r.children.expect(cmd.Process.Pid); code != 0 {
		said, _ := os.ReadFile(runcLog)
		return fmt.Errorf("%s ended with %d: %s", cmd.Args[3], code, bytes.TrimSpace(said))
	}
	return nil
}

// children are the first process's: all that it starts, and all that have lost their parent. No other code may wait
// for one.
type children struct {
	one sync.Mutex // held while a command runs and its process is claimed

	mu       sync.Mutex
	expected map[int]chan int
	early    map[int]int // exit codes of those that ended before anyone expected it
}

func newChildren() *children {
	return &children{expected: map[int]chan int{}, early: map[int]int{}}
}

// reap takes the exit codes of all children.
func (c *children) reap() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	for range ended {
		for {
			var status unix.WaitStatus
			pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
			if err != nil || pid <= 0 {
				break
			}
			code := status.ExitStatus()
			if status.Signaled() {
				code = 128 + int(status.Signal())
			}
			c.end(pid, code)
		}
	}
}

func (c *children) end(pid, code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if exited, found := c.expected[pid]; found {
		exited <- code
		delete(c.expected, pid)
		return
	}
	c.early[pid] = code
}

// expect gives the exit code of a process when it ends, which it may have already.
func (c *children) expect(pid int) <-chan int {
	c.mu.Lock()
	defer c.mu.Unlock()
	exited := make(chan int, 1)
	if code, found := c.early[pid]; found {
		exited <- code
		delete(c.early, pid)
	} else {
		c.expected[pid] = exited
	}
	return exited
}

// forget drops exit codes that were not asked for: the kernel may give a process id to another process.
func (c *children) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.early)
}

package node_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// held is a stopped process.
type held struct{ pid, pidfd int }

// traceVariable makes this test program a process that traces a pod. Its value is the pod's UID.
const traceVariable = "SYSCTL_INJECTOR_TEST_TRACE"

// holdAtExec stops a pod's process at the exec of a program with the arguments given, before the program's first
// instruction. To find it, all processes in the pod's cgroups are traced. It returns nil if the wait ends before that.
// A process of its own traces, as all tracing ends with it. The end of a thread of this process would end the tracing
// too, but also the commands that were started from the thread earlier (see package cluster).
func holdAtExec(t *testing.T, uid string, over func() bool, args ...string) *held {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tracing := suite.Cluster(t).Command(ctx, self, args...)
	tracing.Env = append(tracing.Env, traceVariable+"="+uid)
	stopped := make(chan string)
	var problem error
	go func() {
		var output []byte
		output, problem = tracing.Output()
		stopped <- string(output)
	}()
	for {
		select {
		case output := <-stopped:
			if problem != nil && ctx.Err() == nil {
				t.Fatalf("the tracing process: %v", problem)
			}
			pid, err := strconv.Atoi(output)
			if err != nil {
				return nil
			}
			pidfd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				return nil
			}
			return &held{pid, pidfd}
		case <-time.After(time.Millisecond):
			if over() {
				cancel() // and the process prints nothing
			}
		}
	}
}

// trace stops the process that holdAtExec looks for, and prints its id.
func trace(uid string, args []string) {
	runtime.LockOSThread() // the kernel knows the tracer by its thread
	tr := tracer{wanted: strings.Join(args, "\x00") + "\x00", traced: map[int]bool{}}
	for {
		tr.seize(uid)
		if pid := tr.next(); pid != 0 {
			if err := unix.Kill(pid, unix.SIGSTOP); err == nil {
				fmt.Print(pid)
			}
			return // and detaches from all
		}
		time.Sleep(time.Millisecond)
	}
}

// tracer traces processes until one runs the wanted program.
type tracer struct {
	wanted string
	traced map[int]bool
}

// cgroupFiles list the threads of a pod's containers, with cgroup v1 and v2. Its sandbox is among them.
var cgroupFiles = []string{"memory/*/kubepods/*pod%s/*/tasks", "memory/*/kubepods/*/*pod%s/*/tasks",
	"*/kubepods/*pod%s/*/cgroup.threads", "*/kubepods/*/*pod%s/*/cgroup.threads"}

func (tr tracer) seize(uid string) {
	const options = unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
		unix.PTRACE_O_TRACEVFORK
	for _, pattern := range cgroupFiles {
		files, _ := filepath.Glob("/sys/fs/cgroup/" + fmt.Sprintf(pattern, uid)) // the pattern is a good one
		for _, file := range files {
			listed, _ := os.ReadFile(file) // it disappears with its container
			for _, field := range strings.Fields(string(listed)) {
				tid, err := strconv.Atoi(field)
				if err != nil || tr.traced[tid] {
					continue
				}
				// golang.org/x/sys/unix cannot seize with options, and setting them later requires a stopped thread.
				if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, options, 0,
					0); errno == 0 {
					tr.traced[tid] = true
				}
			}
		}
	}
}

// next continues every stopped thread except the wanted one, whose id it returns.
func (tr tracer) next() int {
	for tid := range tr.traced {
		var status unix.WaitStatus
		switch found, err := unix.Wait4(tid, &status, unix.WNOHANG|unix.WALL, nil); {
		case err != nil, found == tid && !status.Stopped():
			delete(tr.traced, tid)
		case found != tid:
		case status.TrapCause() == unix.PTRACE_EVENT_EXEC && commandLine(tid) == tr.wanted:
			return tid
		default:
			tr.goOn(tid, status)
		}
	}
	return 0
}

// goOn continues a thread after an event, which only the tracer sees, or after a signal, which it passes to the thread.
func (tr tracer) goOn(tid int, status unix.WaitStatus) {
	signal := 0
	switch event := int(status) >> 16; event {
	case 0:
		signal = int(status.StopSignal())
	case unix.PTRACE_EVENT_CLONE, unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK:
		// A new thread is traced from its start, and stops there for the first time.
		if child, err := unix.PtraceGetEventMsg(tid); err == nil {
			tr.traced[int(child)] = true
		}
	}
	_ = unix.PtraceCont(tid, signal) // the next wait reports a thread that was killed meanwhile
}

func commandLine(pid int) string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(line)
}

// runs reports whether the process exists and is stopped.
func (h *held) runs() bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.pid))
	_, fields, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(fields, "T ") && unix.PidfdSendSignal(h.pidfd, 0, nil, 0) == nil
}

// release continues the process. A second call does nothing.
func (h *held) release(t *testing.T) {
	t.Helper()
	if h.pidfd < 0 {
		return
	}
	if err := unix.PidfdSendSignal(h.pidfd, unix.SIGCONT, nil, 0); err != nil {
		t.Errorf("let the container go on: %v", err)
	}
	_ = unix.Close(h.pidfd)
	h.pidfd = -1
}

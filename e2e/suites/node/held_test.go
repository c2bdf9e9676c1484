package node_test

import (
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

// held is a process that stands still.
type held struct{ pid, pidfd int }

// holdAtExec stops a pod's process just when it becomes the program with the arguments given, before it does
// anything: whatever runs in the pod's cgroups until then is traced. It is nil when the wait is over before that.
func holdAtExec(t *testing.T, uid string, over func() bool, args ...string) *held {
	t.Helper()
	result := make(chan *held)
	go func() {
		runtime.LockOSThread() // a tracer is a thread; never unlocked, it ends here, and so does all tracing
		tr := tracer{wanted: strings.Join(args, "\x00") + "\x00", traced: map[int]bool{}}
		for {
			tr.seize(uid)
			if pid := tr.next(); pid != 0 {
				result <- stop(pid)
				return
			}
			if over() {
				result <- nil
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return <-result
}

// stop has a traced process stand still, and leaves it to others.
func stop(pid int) *held {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	if err := unix.PidfdSendSignal(pidfd, unix.SIGSTOP, nil, 0); err != nil {
		return nil
	}
	_ = unix.PtraceDetach(pid)
	return &held{pid, pidfd}
}

// tracer follows processes until one becomes the one that is wanted.
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
			listed, _ := os.ReadFile(file) // it goes with its container
			for _, field := range strings.Fields(string(listed)) {
				tid, err := strconv.Atoi(field)
				if err != nil || tr.traced[tid] {
					continue
				}
				// golang.org/x/sys/unix has no seizing with options, and later ones would need the thread to stop.
				if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, options, 0,
					0); errno == 0 {
					tr.traced[tid] = true
				}
			}
		}
	}
}

// next lets every thread go on that has stopped, but for the one that is wanted, whose id it returns.
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

// goOn lets a thread go on after what stopped it: an event, which the tracer alone sees, or a signal, which is the
// thread's.
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

// runs tells whether the process is there, and stands still.
func (h *held) runs() bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.pid))
	_, fields, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(fields, "T ") && unix.PidfdSendSignal(h.pidfd, 0, nil, 0) == nil
}

// release lets the process go on. A second call does nothing.
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

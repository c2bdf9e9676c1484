package cluster

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
)

// launcher runs functions that start processes, all on one thread. The kernel sends a death signal when the thread that
// started a process ends, not when the whole parent does. So this thread never ends, not even with a cluster: other
// programs may have been started from it before.
var launcher = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread()
		for call := range calls {
			call()
		}
	}()
	return calls
})

func start(cmd *exec.Cmd) error {
	started := make(chan error)
	launcher() <- func() { started <- cmd.Start() }
	return <-started
}

// process is a running part of a cluster.
type process struct {
	name   string
	part   part
	log    string
	cmd    *exec.Cmd
	exited chan struct{} // closed once err is set
	err    error
}

// launch starts a program with its output in a log file, which os.O_TRUNC in flags empties.
func launch(name, log string, flags int, cmd *exec.Cmd) (*process, error) {
	file, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND|flags, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	dieWithParent(cmd)
	if err := start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, log: log, cmd: cmd, exited: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// kill ends the process at once. A cluster's data die with it, so there is nothing to finish.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// failure describes the failure of the part, with the end of its log.
func (p *process) failure(what string, cause error) error {
	return fmt.Errorf("%s %s: %w\nthe end of its log:\n%s", p.name, what, cause, logTail(p.log))
}

// exitError says how a process ended that should keep running. An exit status of 0 is an error too.
func (p *process) exitError() error {
	if p.err == nil {
		return fmt.Errorf("exit status 0")
	}
	return p.err
}

// tailLines is how much of a log an error shows.
const tailLines = 20

// logTail reads the last lines of a file, however long the file is.
func logTail(path string) string {
	const most = 8 << 10
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > most {
		_, _ = file.Seek(-most, io.SeekEnd)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return "(empty)"
	}
	lines := strings.Split(string(data), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

package cluster

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func supported() error { return nil }

// dieWithParent asks the kernel to end the program when the thread that starts it ends.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// memoryDirectory is a directory in memory with room for an etcd, or "" when there is none. Containers often give
// /dev/shm 64 MB, less than etcd's first file.
func memoryDirectory() string {
	const dir, room = "/dev/shm", 1 << 30
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		return ""
	}
	if fs.Bavail*uint64(fs.Bsize) < room || unix.Access(dir, unix.W_OK) != nil {
		return ""
	}
	return dir
}

// identify reads a process's start time, the 22nd field of /proc/PID/stat. The second, the program's name in
// parentheses, may hold blanks and parentheses itself.
func identify(pid int) (Identity, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Identity{}, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, startTime = 0, 19 // the third field comes first here
	if len(fields) <= startTime {
		return Identity{}, fmt.Errorf("/proc/%d/stat has %d fields after the name", pid, len(fields))
	}
	if s := fields[state][0]; s == 'Z' || s == 'X' {
		return Identity{}, fmt.Errorf("process %d has ended", pid)
	}
	start, err := strconv.ParseUint(string(fields[startTime]), 10, 64)
	return Identity{PID: pid, Start: start}, err
}

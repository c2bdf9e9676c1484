//go:build linux

// Command guest is an OCI runtime whose pods have a Linux kernel of their own: user-mode Linux, the kernel as an
// ordinary process, which needs no virtualization of the machine. It is there for end-to-end tests: containerd, a
// RuntimeClass's handler, the guest's kernel and the runc in the guest are real, but nothing isolates a guest from
// the machine's files.
//
// A pod's sandbox is the guest itself. On the machine a keeper process stands for it, and an attached process for
// each of its containers and each program that is executed in one: they end when what they stand for ends, with its
// exit code. In the guest the same program is the first process, and has runc do the work there.
//
// There is no terminal, no standard input, and no network but the guest's own loopback.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

func main() {
	if os.Getpid() == 1 {
		powerOff(serveGuest())
	}
	if len(os.Args) == 3 && os.Args[1] == keeperCommand {
		os.Exit(keep(container{dir: os.Args[2]}))
	}
	if len(os.Args) == 6 && os.Args[1] == attachCommand {
		os.Exit(attach(container{dir: os.Args[2]}, message{Op: os.Args[3], ID: os.Args[4], Path: os.Args[5]}))
	}
	if err := runtime(os.Args[1:]); err != nil {
		os.Exit(1)
	}
}

// runtime runs one command of those that containerd's shim for runc calls. The shim reads the reason of a failure
// from the log, and for some commands from standard error.
func runtime(args []string) error {
	global := flag.NewFlagSet("guest", flag.ContinueOnError)
	root := global.String("root", "/run/guest", "the folder of the containers' state")
	logFile := global.String("log", "", "the file that errors are written to")
	global.String("log-format", "", "ignored: it is JSON")
	global.Bool("systemd-cgroup", false, "ignored")
	if err := global.Parse(args); err != nil {
		return err
	}
	err := command(*root, global.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		line, _ := json.Marshal(map[string]string{"level": "error", "msg": err.Error()})
		if file, openErr := os.OpenFile(*logFile, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); openErr == nil {
			_, _ = file.Write(append(line, '\n'))
			_ = file.Close()
		}
	}
	return err
}

func command(root string, args []string) error {
	if len(args) == 0 {
		return errors.New("no command")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	bundle := flags.String("bundle", "", "the folder of the container's config.json")
	pidFile := flags.String("pid-file", "", "the file for the process id")
	process := flags.String("process", "", "the file that describes the program to execute")
	all := flags.Bool("all", false, "whether every process gets the signal")
	force := flags.Bool("force", false, "whether a container may be running, or may not exist")
	flags.Bool("detach", false, "always so")
	flags.Bool("no-pivot", false, "ignored")
	flags.Bool("no-new-keyring", false, "ignored")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	id := flags.Arg(0)
	if id == "" {
		return fmt.Errorf("%s: no container is named", args[0])
	}
	switch args[0] {
	case opCreate:
		return create(root, id, *bundle, *pidFile)
	case opStart:
		return start(root, id)
	case opExec:
		return execute(root, id, *process, *pidFile)
	case opKill:
		signal, err := strconv.Atoi(flags.Arg(1))
		if err != nil {
			return fmt.Errorf("kill: the signal: %w", err)
		}
		return kill(root, id, signal, *all)
	case opDelete:
		return remove(root, id, *force)
	case "state":
		return printState(os.Stdout, root, id)
	}
	return fmt.Errorf("the command %s is not supported", args[0])
}

// Commands of processes that this program starts for itself.
const (
	keeperCommand = "keeper"
	attachCommand = "attach"
)

const readyWord = "ready"

// stay starts one of this program's own processes, which inherits the container's output and outlives the command. It
// returns once the process says that it is ready.
func stay(pidFile string, args ...string) (pid int, err error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{writer}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = writer.Close()
	if err != nil {
		return 0, err
	}
	said, err := io.ReadAll(reader)
	if err != nil {
		return 0, err
	}
	if string(said) != readyWord {
		return 0, fmt.Errorf("%s: %s", args[0], said)
	}
	return cmd.Process.Pid, os.WriteFile(pidFile, strconv.AppendInt(nil, int64(cmd.Process.Pid), 10), 0o600)
}

// starter is the pipe to the command that started this process.
func starter() *os.File {
	const fd = 3 // the first of ExtraFiles
	syscall.CloseOnExec(fd)
	return os.NewFile(fd, "starter")
}

package app

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sysctl-injector/sysctl-injector/webhook/manifest"
)

// Every command that reads a file rejects what is no regular one, instead of waiting or of reading without end.
func TestCommandsReadRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	pipe, zero := filepath.Join(dir, "pipe.yaml"), filepath.Join(dir, "zero.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", zero); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, manifest.MaxSize+1); err != nil {
		t.Fatal(err)
	}
	for path, problem := range map[string]string{
		dir:   pipe + " is a named pipe, not a regular file",
		pipe:  pipe + " is a named pipe, not a regular file",
		zero:  zero + " is a device, not a regular file",
		large: "read " + large + ": larger than the limit of 67108864 bytes",
	} {
		for _, args := range [][]string{
			{"inject", "-f", path},
			{"companion", "-f", path},
			{"inject", "-f", "testdata/inject/kata.yaml", "--policy", path},
			{"inject", "-f", "testdata/inject/kata.yaml", "--profile", path},
			{"inject", "-f", "testdata/inject/kata.yaml", "--runtime-class", path},
			{"explain", "kernel.sem", "--policy", path},
			{"serve", "--standalone", "--policy", path},
		} {
			code, out, errOut := run(t, "", args...)
			flag := args[len(args)-2]
			if code != 1 || out != "" || errOut != "error: "+flag+": "+problem+"\n" {
				t.Errorf("%s: got %d, %q, %q", strings.Join(args, " "), code, out, errOut)
			}
		}
	}
}

// endless is an input without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestStandardInputHasALimit(t *testing.T) {
	var errOut bytes.Buffer
	code := Run([]string{"inject", "-f", "-"}, endless{}, io.Discard, &errOut)
	if want := "error: -f: read standard input: larger than the limit of 67108864 bytes\n"; code != 1 ||
		errOut.String() != want {
		t.Errorf("got %d, %q", code, errOut.String())
	}
}

func TestASignalInterruptsAReadFromStandardInput(t *testing.T) {
	cmd := exec.Command(os.Args[0], "inject", "-f", "-")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	// More than a pipe holds: once it is written, the command has begun to read, and waits for more.
	if _, err := in.Write(bytes.Repeat([]byte("# waiting\n"), 1<<17)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("the command ended with %v, not by the signal", err)
	}
}

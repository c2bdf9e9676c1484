package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

func TestStale(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	ended := endedProcess(t)
	for _, test := range []struct {
		name, file string
		want       bool
	}{
		{"this process's own", namePrefix + self.String() + "-1", false},
		{"one whose owner has ended", namePrefix + ended.String() + "-1", true},
		{"one whose owner's id was given to another",
			fmt.Sprintf("%s%d-%d-1", namePrefix, self.PID, self.Start-1), true},
		{"a name with too few parts", namePrefix + ended.String(), false},
		{"a name with other words", namePrefix + "some-thing-1", false},
		{"somebody else's", "kind-" + ended.String() + "-1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := stale(test.file); got != test.want {
				t.Errorf("stale(%q) = %t, want %t", test.file, got, test.want)
			}
		})
	}
}

func TestAZombieIsNotAlive(t *testing.T) {
	identity, end, reap := startProcess(t)
	if !identity.Alive() {
		t.Error("a process that waits for input is not alive")
	}
	end()
	for identity.Alive() { // it ends by itself, and has not been waited for yet
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", identity.PID)); err != nil {
		t.Errorf("the process is gone and no zombie: %v", err)
	}
	reap()
}

func endedProcess(t *testing.T) Identity {
	t.Helper()
	identity, end, reap := startProcess(t)
	end()
	reap()
	return identity
}

// startProcess starts a process that runs until end is called. It is a zombie from then on until reap is called.
func startProcess(t *testing.T) (identity Identity, end, reap func()) {
	t.Helper()
	cmd := exec.Command("cat")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if identity, err = identify(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	return identity, func() { _ = input.Close() }, func() { _ = cmd.Wait() }
}

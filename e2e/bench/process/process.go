// Package process measures the processor time and memory of a running program, and pins it to processors.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a running program, by its process id.
type Process int

// CPU is the processor time of all the program's threads since its start, to the nanosecond: the time that getrusage
// returns inside the program, read from the clock of clock_getcpuclockid(3).
func (p Process) CPU() (time.Duration, error) {
	const perProcessScheduler = 2 // CPUCLOCK_SCHED, of a process (include/linux/posix-timers.h)
	clock := (^int32(p) << 3) | perProcessScheduler
	var now unix.Timespec
	if err := unix.ClockGettime(clock, &now); err != nil {
		return 0, fmt.Errorf("read the processor time of process %d: %w", p, err)
	}
	return time.Duration(now.Nano()), nil
}

// Memory is a program's memory by the kernel's count, in bytes.
type Memory struct {
	Resident float64 // VmRSS
	Peak     float64 // VmHWM
	// The parts of Resident: what the program has allocated, and what it has mapped of files, of its own code for the
	// most part.
	Allocated float64 // RssAnon
	File      float64 // RssFile
}

// Memory reads /proc/PID/status.
func (p Process) Memory() (Memory, error) {
	status, err := os.ReadFile(p.path("status"))
	if err != nil {
		return Memory{}, err
	}
	var m Memory
	fields := map[string]*float64{"VmRSS": &m.Resident, "VmHWM": &m.Peak, "RssAnon": &m.Allocated, "RssFile": &m.File}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		into, wanted := fields[name]
		if !wanted {
			continue
		}
		number, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			return Memory{}, fmt.Errorf("%s of %s: %w", name, p.path("status"), err)
		}
		*into = number * 1024
		delete(fields, name)
	}
	if len(fields) > 0 {
		return Memory{}, fmt.Errorf("%s lacks %d of the fields that are asked for", p.path("status"), len(fields))
	}
	return m, nil
}

// Pin keeps all threads of the program to these processors. Threads that it starts later inherit that.
func (p Process) Pin(processors ...int) error {
	var set unix.CPUSet
	for _, n := range processors {
		set.Set(n)
	}
	pinned := map[string]bool{}
	for { // until no thread has come meanwhile
		tasks, err := os.ReadDir(p.path("task"))
		if err != nil {
			return err
		}
		before := len(pinned)
		for _, task := range tasks {
			if pinned[task.Name()] {
				continue
			}
			number, err := strconv.Atoi(task.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(number, &set); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("keep thread %d of process %d to its processor: %w", number, p, err)
			}
			pinned[task.Name()] = true
		}
		if len(pinned) == before {
			return nil
		}
	}
}

// Descendants are the programs that a program has started, and those have, and so on.
func (p Process) Descendants() ([]Process, error) {
	parents := map[Process][]Process{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return nil, err
		}
		var state string
		var parent Process
		// The program's name, in parentheses, may hold anything.
		if _, err := fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state, &parent); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		number, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		parents[parent] = append(parents[parent], Process(number))
	}
	all := append([]Process{}, parents[p]...)
	for i := 0; i < len(all); i++ {
		all = append(all, parents[all[i]]...)
	}
	return all, nil
}

// Find finds the one process that runs a program.
func Find(program string) (Process, error) {
	program, err := filepath.EvalSymlinks(program)
	if err != nil {
		return 0, err
	}
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return 0, err
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == program {
			number, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			return Process(number), err
		}
	}
	return 0, fmt.Errorf("no process runs %s", program)
}

func (p Process) path(name string) string {
	return filepath.Join("/proc", strconv.Itoa(int(p)), name)
}

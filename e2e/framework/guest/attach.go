//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
)

// lost is the exit code of a process whose guest is gone.
const lost = 255

// attach stands for one process in a guest: its output is this process's, and so is its exit code.
func attach(sandbox container, m message) int {
	starting := starter()
	fail := func(err error) int {
		fmt.Fprint(starting, err)
		return lost
	}
	connection, err := net.Dial("unix", sandbox.socket())
	if err != nil {
		return fail(err)
	}
	l := newLink(connection)
	if err := l.send(m); err != nil {
		return fail(err)
	}
	for {
		m, err := l.receive()
		if err != nil {
			return fail(err)
		}
		switch m.Op {
		case opDone:
			if err := m.failure(); err != nil {
				return fail(err)
			}
			fmt.Fprint(starting, readyWord)
			_ = starting.Close()
		case opOutput:
			stream := os.Stdout
			if m.Stream == 2 {
				stream = os.Stderr
			}
			_, _ = stream.Write(m.Data) // the process continues if there is no reader
		case opExit:
			return m.Code
		}
	}
}

//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
)

// message is one line between the guest and the machine. The guest has one serial line for all; on the machine each
// session is a connection to the keeper's socket.
type message struct {
	Session int               `json:"session,omitempty"`
	Op      string            `json:"op"`
	ID      string            `json:"id,omitempty"`   // a container's
	Path    string            `json:"path,omitempty"` // on the machine: a bundle, or a process to execute
	Signal  int               `json:"signal,omitempty"`
	All     bool              `json:"all,omitempty"`
	Sysctls map[string]string `json:"sysctls,omitempty"`
	Stream  int               `json:"stream,omitempty"` // 1 or 2
	Data    []byte            `json:"data,omitempty"`
	Code    int               `json:"code,omitempty"`
	Error   string            `json:"error,omitempty"`
}

// Requests to the guest.
const (
	opSet    = "set" // sysctls
	opCreate = "create"
	opStart  = "start"
	opExec   = "exec"
	opKill   = "kill"
	opDelete = "delete"
	opHangUp = "hang up" // the process that stood for the session's process is gone
	opEnd    = "end"
)

// Messages of the guest.
const (
	opHello  = "hello"
	opDone   = "done" // or not, with an error
	opOutput = "output"
	opExit   = "exit"
)

// errNotRunning has the text by which containerd recognizes that there is nothing left to kill.
var errNotRunning = errors.New("container not running")

// link sends and receives messages.
type link struct {
	sending sync.Mutex
	writer  io.Writer
	reader  *bufio.Reader
}

func newLink(stream io.ReadWriter) *link {
	return &link{writer: stream, reader: bufio.NewReader(stream)}
}

func (l *link) send(m message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	l.sending.Lock()
	defer l.sending.Unlock()
	_, err = l.writer.Write(append(line, '\n'))
	return err
}

func (l *link) receive() (message, error) {
	for {
		line, err := l.reader.ReadBytes('\n')
		if err != nil {
			return message{}, err
		}
		var m message
		// The kernel may have written on the line before the guest's first process made it its own.
		if json.Unmarshal(line, &m) == nil {
			return m, nil
		}
	}
}

// answer waits until the other side has carried out the request.
func (l *link) answer() error {
	for {
		m, err := l.receive()
		if err != nil {
			return err
		}
		if m.Op == opDone {
			return m.failure()
		}
	}
}

func (m message) failure() error {
	if m.Error == "" {
		return nil
	}
	return errors.New(m.Error)
}

// call sends a request to a sandbox's guest.
func call(sandbox container, m message) error {
	connection, err := net.Dial("unix", sandbox.socket())
	if err != nil {
		return errNotRunning
	}
	defer connection.Close()
	l := newLink(connection)
	if err := l.send(m); err != nil {
		return errNotRunning
	}
	err = l.answer()
	if errors.Is(err, io.EOF) {
		return errNotRunning
	}
	return err
}

//go:build linux

package main

import (
	"os"
	"sync"
	"time"
)

// streams are the pipes that a process in the guest writes to.
type streams struct {
	writers [2]*os.File
	ended   chan struct{}
}

// patienceWithStreams bounds the wait for processes that inherited the streams of a process that has ended.
const patienceWithStreams = 2 * time.Second

func newStreams(say func(stream int, data []byte)) (*streams, error) {
	s := &streams{ended: make(chan struct{})}
	var open sync.WaitGroup
	for i := range s.writers {
		reader, writer, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		s.writers[i] = writer
		open.Go(func() {
			defer reader.Close()
			buffer := make([]byte, 2048)
			for {
				n, err := reader.Read(buffer)
				if n > 0 {
					say(i+1, buffer[:n])
				}
				if err != nil {
					return
				}
			}
		})
	}
	go func() {
		open.Wait()
		close(s.ended)
	}()
	return s, nil
}

// started leaves the pipes to the process.
func (s *streams) started() {
	for _, writer := range s.writers {
		_ = writer.Close()
	}
}

// wait waits until all that was written is read.
func (s *streams) wait() {
	select {
	case <-s.ended:
	case <-time.After(patienceWithStreams):
	}
}

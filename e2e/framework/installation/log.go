package installation

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
)

// Log collects what a server writes.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is what has been written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Addresses returns the addresses that the server has logged, or "" before it listens.
func (l *Log) Addresses() (webhook, observe string) {
	for line := range strings.Lines(l.String()) {
		var said struct{ Webhook, Observe string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Webhook != "" {
			return said.Webhook, said.Observe
		}
	}
	return "", ""
}

// Tail keeps the last lines of a text.
func Tail(text string, lines int) string {
	all := strings.SplitAfter(text, "\n")
	return strings.Join(all[max(0, len(all)-lines-1):], "")
}

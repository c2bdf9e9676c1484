package cluster

import (
	"fmt"
	"os"
)

// Identity distinguishes a process from a later one with the same process id.
type Identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot
}

func (i Identity) String() string { return fmt.Sprintf("%d-%d", i.PID, i.Start) }

// Alive reports whether that very process still runs.
func (i Identity) Alive() bool {
	now, err := identify(i.PID)
	return err == nil && now == i
}

// Self identifies the calling process.
func Self() (Identity, error) { return identify(os.Getpid()) }

//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// alone is how long busybox runs by itself, outside of any container.
type alone struct{ sysctl, nothing []time.Duration }

// measureAlone runs what the containers run, in a network namespace of its own.
func measureAlone(times int) (alone, error) {
	var measured alone
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		result <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("make a network namespace: %w", err)
			}
			for range times {
				for took, args := range map[*[]time.Duration][]string{
					&measured.nothing: {"true"},
					&measured.sysctl: {"sysctl", "-w", "net.core.somaxconn=32768",
						"net.ipv4.ip_local_port_range=32768 65535"},
				} {
					begin := time.Now()
					if output, err := exec.Command("busybox", args...).CombinedOutput(); err != nil {
						return fmt.Errorf("busybox %q: %w: %s", args, err, output)
					}
					*took = append(*took, time.Since(begin))
				}
			}
			return nil
		}()
	}()
	return measured, <-result
}

package sysctl

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestCapacitiesAgainstTheKernel checks that new network and IPC namespaces of the running kernel start with at least
// the values in the table.
func TestCapacitiesAgainstTheKernel(t *testing.T) {
	needRoot(t)
	within(t, syscall.CLONE_NEWNET|syscall.CLONE_NEWIPC, func() error {
		for name, c := range capacities {
			content, err := os.ReadFile("/proc/sys/" + Path(name))
			if os.IsNotExist(err) && ModuleOf(name) != "" {
				continue
			}
			if err != nil {
				return err
			}
			found, wanted := strings.Fields(string(content)), strings.Fields(c.start)
			if len(found) != len(wanted) {
				t.Errorf("%s starts with %v, the table says %v", name, found, wanted)
				continue
			}
			for i := range found {
				if isLowerNumber(found[i], wanted[i]) {
					t.Errorf("%s starts with %v, the table says %v", name, found, wanted)
				}
			}
		}
		return nil
	})
}

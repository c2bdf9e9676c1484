package node_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// assignment is a sysctl with its initial value in new namespaces, and another value that they accept and keep. The two
// are equal if there is no other.
type assignment struct{ name, initial, value string }

// TestCatalogueAgainstTheKernel changes, in new namespaces, each sysctl that belongs to a namespace by the catalogue,
// and checks that the machine's own value stays the same.
func TestCatalogueAgainstTheKernel(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, nil)
	var names []string
	for _, name := range offeredIn(t, run(t, namespace, newPod("reader", ""))) {
		if settable(sysctl.Lookup(name)) {
			names = append(names, name)
		}
	}
	before := machineValues(t, names)
	changed, same := 0, []string{}
	for _, a := range tryInNewNamespaces(t, names) {
		if a.value != a.initial {
			changed++
		} else {
			same = append(same, a.name)
		}
	}
	for name, value := range machineValues(t, names) {
		if value != before[name] {
			t.Errorf("DISAGREEMENT: %s was changed in new namespaces, and this machine's changed from %q to %q", name,
				before[name], value)
			if err := os.WriteFile(procPath(name), []byte(before[name]), 0); err != nil {
				t.Errorf("put it back: %v", err)
			}
		}
	}
	t.Logf("%d sysctls changed in new namespaces, and none of this machine's with them; %d took no other value: %s",
		changed, len(same), strings.Join(same, " "))
}

func machineValues(t *testing.T, names []string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range names {
		content, err := os.ReadFile(procPath(name))
		switch {
		case errors.Is(err, fs.ErrNotExist): // only some namespaces have it
		case errors.Is(err, unix.EIO), errors.Is(err, fs.ErrPermission): // not readable
		case err != nil:
			t.Fatal(err)
		default:
			found[name] = normal(string(content))
		}
	}
	return found
}

// onHost keeps the names that the machine has too and that can be read.
func onHost(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, err := os.ReadFile(procPath(name))
		return err != nil
	})
}

// tryInNewNamespaces finds out, in new network and IPC namespaces, which values sysctls take.
func tryInNewNamespaces(t *testing.T, names []string) []assignment {
	t.Helper()
	var found []assignment
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so that no other goroutine is in its namespaces
		err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWIPC)
		if err != nil {
			err = fmt.Errorf("make namespaces: %w", err)
		}
		for i := 0; err == nil && i < len(names); i++ {
			var a assignment
			if a, err = try(names[i]); a.name != "" {
				found = append(found, a)
			}
		}
		result <- err
		select {} // the thread's end would kill the commands that were started from it earlier (see package cluster)
	}()
	must(t, <-result)
	return found
}

// try changes one sysctl, and changes it back. What cannot be read or set in new namespaces is left out.
func try(name string) (assignment, error) {
	content, err := os.ReadFile(procPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return assignment{}, nil
	}
	if err != nil && !errors.Is(err, unix.EIO) { // a secret that has no value yet
		return assignment{}, err
	}
	a := assignment{name: name, initial: normal(string(content))}
	a.value = a.initial
	for _, candidate := range candidates(name, a.initial) {
		if os.WriteFile(procPath(name), []byte(candidate), 0) != nil {
			continue
		}
		content, err := os.ReadFile(procPath(name))
		if err != nil {
			return assignment{}, err
		}
		if kept := normal(string(content)); kept == candidate && kept != a.initial {
			a.value = kept
			break
		}
	}
	switch {
	case a.value == "": // neither read nor set
		return assignment{}, nil
	case a.value != a.initial:
		_ = os.WriteFile(procPath(name), []byte(a.initial), 0)
	}
	return a, nil
}

// candidates are values that a sysctl may take.
func candidates(name, initial string) []string {
	if strings.HasSuffix(name, ".stable_secret") {
		return []string{"2001:0db8:0000:0000:0000:0000:0000:0001"}
	}
	switch name {
	case "net.ipv4.ip_local_reserved_ports":
		return []string{"30000-30010"}
	case "net.ipv4.tcp_fastopen_key":
		return []string{"00000001-00000002-00000003-00000004"}
	case "net.ipv4.tcp_congestion_control":
		return []string{"reno", "cubic"}
	}
	first, rest, _ := strings.Cut(initial, " ")
	number, ok := new(big.Int).SetString(first, 10) // kernel.shmmax is more than an int64 holds
	if !ok {
		return nil
	}
	one := big.NewInt(1)
	var all []string
	for _, other := range []*big.Int{new(big.Int).Add(number, one), new(big.Int).Sub(number, one), new(big.Int), one} {
		all = append(all, normal(other.String()+" "+rest))
	}
	return all
}

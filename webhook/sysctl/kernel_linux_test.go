package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
)

// TestNetworkNamesAgainstTheKernel compares the catalogue with a new network namespace of the running kernel: host-only
// names must not be writable there, and all others must be. It skips names that the kernel lacks.
func TestNetworkNamesAgainstTheKernel(t *testing.T) {
	running := strings.TrimSpace(read(t, "/proc/sys/kernel/osrelease"))
	if version.MustParseGeneric(running).LessThan(version.MustParseGeneric(observedOnRelease)) {
		t.Skipf("NOT RUN: Linux %s is older than %s, which the catalogue describes", running, observedOnRelease)
	}
	files := listIn(t, syscall.CLONE_NEWNET, "/proc/sys/net")
	for name, mode := range files {
		if strings.Contains(name, ".mc_forwarding") { // read-only in every namespace, and per interface
			continue
		}
		if strings.HasSuffix(name, ".stable_secret") { // writable by mode even where it is not: see the next test
			continue
		}
		entry := Lookup(name)
		switch writable := mode.Perm()&0o200 != 0; {
		case entry.HostOnly == nil && !writable:
			t.Errorf("%s is read-only in a new network namespace, but not in the catalogue: run go generate "+
				"./webhook/sysctl", name)
		case entry.HostOnly != nil && writable && entry.HostOnly.State != Shared:
			t.Errorf("%s is writable in a new network namespace, but the catalogue says that it %s: run go generate "+
				"./webhook/sysctl", name, entry.HostOnly.Reason)
		}
	}
}

// TestStableSecretsAgainstTheKernel writes every stable_secret of a new network namespace and reads it back.
func TestStableSecretsAgainstTheKernel(t *testing.T) {
	const secret = "2001:0db8:0000:0000:0000:0000:0000:0001"
	settable := map[string]bool{}
	within(t, syscall.CLONE_NEWNET, func() error {
		paths, err := filepath.Glob("/proc/sys/net/ipv6/conf/*/stable_secret")
		if err != nil {
			return err
		}
		for _, path := range paths {
			switch err := os.WriteFile(path, []byte(secret), 0); {
			case errors.Is(err, syscall.EIO):
				settable[filepath.Base(filepath.Dir(path))] = false
				continue
			case err != nil:
				return err
			}
			now, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			settable[filepath.Base(filepath.Dir(path))] = strings.TrimSpace(string(now)) == secret
		}
		return nil
	})
	if len(settable) == 0 {
		t.Skip("NOT RUN: this kernel has no IPv6")
	}
	for _, of := range []string{"all", "default", "lo"} {
		if _, found := settable[of]; !found {
			t.Errorf("%s has no stable_secret", of)
		}
	}
	for of, can := range settable {
		if entry := Lookup("net.ipv6.conf." + of + ".stable_secret"); (entry.HostOnly == nil) != can {
			t.Errorf("%s can be set: %t; the catalogue says %+v", entry.Name, can, entry.HostOnly)
		}
	}
}

// TestIPCNamesAgainstTheKernel changes every IPC name in a new IPC namespace, and checks that the value outside stays.
func TestIPCNamesAgainstTheKernel(t *testing.T) {
	files := listIn(t, syscall.CLONE_NEWIPC, "/proc/sys/kernel", "/proc/sys/fs/mqueue")
	tested := 0
	for name := range files {
		if ScopeOf(name) != IPC {
			continue
		}
		path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
		before := read(t, path)
		var inside string
		within(t, syscall.CLONE_NEWIPC, func() error {
			own, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			inside, err = change(path, strings.TrimSpace(string(own)))
			return err
		})
		if after := read(t, path); after != before {
			t.Errorf("writing %s in another IPC namespace changed it here from %q to %q", name, before, after)
		}
		if inside == "" {
			t.Logf("%s accepts no other value", name)
			continue
		}
		tested++
	}
	if tested < 10 {
		t.Errorf("only %d IPC names tested", tested)
	}
}

// change writes another value that the kernel accepts and keeps, and returns it, or "" if there is none.
func change(path, value string) (string, error) {
	first, rest, _ := strings.Cut(value, "\t")
	number, ok := new(big.Int).SetString(first, 10) // kernel.shmmax starts above int64
	if !ok {
		return "", nil
	}
	one := big.NewInt(1)
	for _, other := range []*big.Int{new(big.Int).Sub(number, one), new(big.Int).Add(number, one), new(big.Int), one} {
		written := strings.TrimSpace(other.String() + "\t" + rest)
		if os.WriteFile(path, []byte(written), 0) != nil {
			continue
		}
		now, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if kept := strings.TrimSpace(string(now)); kept == written && kept != value {
			return kept, nil
		}
	}
	return "", nil
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// listIn returns the modes of the files below some folders of /proc/sys in a new namespace, by sysctl name.
func listIn(t *testing.T, namespace int, folders ...string) map[string]fs.FileMode {
	t.Helper()
	files := map[string]fs.FileMode{}
	within(t, namespace, func() error {
		for _, folder := range folders {
			err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				info, err := entry.Info()
				if err != nil {
					return err
				}
				files[strings.ReplaceAll(strings.TrimPrefix(path, "/proc/sys/"), "/", ".")] = info.Mode()
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return files
}

// within runs f in new namespaces. f gets its own thread, which ends with it: /proc/sys shows the namespaces of the
// thread that reads it.
func within(t *testing.T, namespaces int, f func() error) {
	t.Helper()
	needRoot(t)
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so that no other goroutine uses the thread
		if err := syscall.Unshare(namespaces); err != nil {
			result <- fmt.Errorf("%w: %w", errUnshare, err)
			return
		}
		result <- f()
	}()
	switch err := <-result; {
	case errors.Is(err, errUnshare):
		t.Skipf("NOT RUN: %v: run it as root, outside containers", err)
	case err != nil:
		t.Fatal(err)
	}
}

var errUnshare = errors.New("create namespaces")

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: creating namespaces and writing /proc/sys needs root; run `sudo go test ./webhook/sysctl`")
	}
}

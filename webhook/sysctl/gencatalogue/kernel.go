//go:build linux

package main

import (
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
)

// observed describes one name on the running kernel.
type observed struct {
	inNode, inPod          bool // whether the initial namespaces have it, and whether new ones do
	writableNode, writable bool
	content                string // in new namespaces
	measured               bounds // known if it is a number and writable
	fields                 int
}

// observe reads the names of the initial and of new network and IPC namespaces, and finds the bounds of numbers by
// writing.
func observe() (release string, names map[string]*observed, err error) {
	content, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", nil, err
	}
	release, _, _ = strings.Cut(strings.TrimSpace(string(content)), "-")
	names = map[string]*observed{}
	if err := list(names, func(o *observed, writable bool, _ string) {
		o.inNode, o.writableNode = true, writable
	}); err != nil {
		return "", nil, err
	}
	// /proc/sys shows the namespaces of the thread that reads it. The goroutine keeps its thread until the program
	// ends.
	runtime.LockOSThread()
	if err := syscall.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC); err != nil {
		return "", nil, err
	}
	if err := list(names, func(o *observed, writable bool, content string) {
		o.inPod, o.writable, o.content = true, writable, content
	}); err != nil {
		return "", nil, err
	}
	for name, o := range names {
		if o.inPod && o.writable && name != "net.netfilter.nf_hooks_lwtunnel" { // it is not isolated
			o.measure(name)
		}
	}
	return release, names, nil
}

func list(names map[string]*observed, add func(o *observed, writable bool, content string)) error {
	for _, folder := range []string{"net", "kernel", "fs/mqueue"} {
		err := filepath.WalkDir("/proc/sys/"+folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name, ok := collapse(strings.ReplaceAll(strings.TrimPrefix(path, "/proc/sys/"), "/", "."))
			if !ok {
				return nil
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			content, _ := os.ReadFile(path) // some are write-only, some have no value yet
			if names[name] == nil {
				names[name] = &observed{}
			}
			add(names[name], info.Mode().Perm()&0o200 != 0, strings.TrimSpace(string(content)))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	ofInterface = regexp.MustCompile(`^(net\.\w+\.(?:conf|neigh))\.(.+)\.[^.]+$`)
	ofIPC       = regexp.MustCompile(`^(kernel\.(shm|msg|sem$)|fs\.mqueue\.)`)
	numbers     = regexp.MustCompile(`^-?\d+(\s+-?\d+)*$`)
)

// collapse replaces the interface in a name by "*". One interface stands for all: ok is false for the other interfaces,
// and for names of node scope.
func collapse(name string) (collapsed string, ok bool) {
	if !strings.HasPrefix(name, "net.") {
		return name, ofIPC.MatchString(name)
	}
	m := ofInterface.FindStringSubmatch(name)
	switch {
	case m == nil:
		return name, true
	case strings.HasSuffix(m[1], ".neigh"):
		// A new network namespace has no neigh.default: its interfaces inherit the node's values.
		if m[2] != "lo" {
			return name, m[2] == "default"
		}
	case m[2] != "default":
		return "", false
	}
	return m[1] + ".*" + name[strings.LastIndex(name, "."):], true
}

// realName replaces "*" by the interface that stands for all.
func realName(name string) string {
	if strings.Contains(name, ".neigh.") {
		return strings.Replace(name, "*", "lo", 1)
	}
	return strings.Replace(name, "*", "default", 1)
}

// measure finds the least and the greatest number that the kernel accepts and keeps in the first field.
func (o *observed) measure(name string) {
	if !numbers.MatchString(o.content) {
		return
	}
	path := "/proc/sys/" + strings.ReplaceAll(realName(name), ".", "/")
	fields := strings.Fields(o.content)
	o.fields = len(fields)
	was, _ := new(big.Int).SetString(fields[0], 10)
	accepts := func(v *big.Int) bool {
		written := strings.Join(append([]string{v.String()}, fields[1:]...), " ")
		if os.WriteFile(path, []byte(written), 0) != nil {
			return false
		}
		now, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		kept, ok := new(big.Int).SetString(strings.Fields(string(now))[0], 10)
		if restore := os.WriteFile(path, []byte(o.content), 0); restore != nil || !ok {
			return false
		}
		// The kernel rounds times, and ignores some values without an error.
		return kept.Cmp(was) != 0 || v.Cmp(was) == 0
	}
	if !accepts(was) {
		return
	}
	limit := new(big.Int).Lsh(big.NewInt(1), 64)
	o.measured = bounds{search(accepts, was, new(big.Int).Neg(limit)), search(accepts, was, limit)}
}

// search returns the accepted value between good and bad that is closest to bad. It assumes that the accepted values
// have no gaps.
func search(accepts func(*big.Int) bool, good, bad *big.Int) *big.Int {
	one := big.NewInt(1)
	for {
		distance := new(big.Int).Sub(bad, good)
		if new(big.Int).Abs(distance).Cmp(one) <= 0 {
			return good
		}
		middle := new(big.Int).Add(good, new(big.Int).Quo(distance, big.NewInt(2)))
		if accepts(middle) {
			good = middle
		} else {
			bad = middle
		}
	}
}

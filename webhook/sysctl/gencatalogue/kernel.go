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

// observed is what the running kernel says about one name.
type observed struct {
	inNode, inPod          bool // the first namespaces have it; new ones do
	writableNode, writable bool
	content                string // in new namespaces
	measured               bounds // known if it is a number and could be written
	fields                 int
}

// observe looks at the names of the first namespaces and of new network and IPC namespaces, and finds the bounds of
// numbers by writing.
func observe() (release string, names map[string]*observed, err error) {
	content, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", nil, err
	}
	release, _, _ = strings.Cut(strings.TrimSpace(string(content)), "-")
	names = map[string]*observed{}
	if err := list(names, func(o *observed, writable bool, _ string) {
		o.inNode, o.writableNode = true,
			writable
	}); err != nil {
		return "", nil, err
	}
	// /proc/sys shows the namespaces of the thread that looks. This goroutine, and the thread with it, ends with the
	// program.
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
		if o.inPod && o.writable && name != "net.netfilter.nf_hooks_lwtunnel" { // which is not isolated
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

// collapse writes "*" for the interface in a name. The parameters of one interface stand for those of all; ok is
// false for the others.
func collapse(name string) (string, bool) {
	if !strings.HasPrefix(name, "net.") {
		return name, ofIPC.MatchString(name)
	}
	m := ofInterface.FindStringSubmatch(name)
	switch {
	case m == nil:
		return name, true
	case strings.HasSuffix(m[1], ".neigh"):
		// A new network namespace has no "default" of these: its interfaces start with the node's.
		if m[2] != "lo" {
			return name, m[2] == "default"
		}
	case m[2] != "default":
		return "", false
	}
	return m[1] + ".*" + name[strings.LastIndex(name, "."):], true
}

// realName returns the name that a "*" stands for.
func realName(name string) string {
	if strings.Contains(name, ".neigh.") {
		return strings.Replace(name, "*", "lo", 1)
	}
	return strings.Replace(name, "*", "default", 1)
}

// measure finds the least and greatest number that the kernel takes in the first field, and keeps.
func (o *observed) measure(name string) {
	if !numbers.MatchString(o.content) {
		return
	}
	path := "/proc/sys/" + strings.ReplaceAll(realName(name), ".", "/")
	fields := strings.Fields(o.content)
	o.fields = len(fields)
	was, _ := new(big.Int).SetString(fields[0], 10)
	takes := func(v *big.Int) bool {
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
	if !takes(was) {
		return
	}
	limit := new(big.Int).Lsh(big.NewInt(1), 64)
	o.measured = bounds{search(takes, was, new(big.Int).Neg(limit)), search(takes, was, limit)}
}

// search returns the value farthest from good towards bad that is taken: the bounds of numbers have no gaps.
func search(takes func(*big.Int) bool, good, bad *big.Int) *big.Int {
	one := big.NewInt(1)
	for {
		distance := new(big.Int).Sub(bad, good)
		if new(big.Int).Abs(distance).Cmp(one) <= 0 {
			return good
		}
		middle := new(big.Int).Add(good, new(big.Int).Quo(distance, big.NewInt(2)))
		if takes(middle) {
			good = middle
		} else {
			bad = middle
		}
	}
}

package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestSweep writes many values to every name in new network and IPC namespaces. If the catalogue rejects a value, the
// kernel must reject it or not keep it. If the catalogue accepts a value without a warning, so must the kernel.
func TestSweep(t *testing.T) {
	tried := 0
	inNewNamespaces(t, func(name, path string, mode fs.FileMode) {
		parameter := FindParameter(name)
		if parameter == nil {
			t.Errorf("%s is not in the catalogue", name)
			return
		}
		before, _ := os.ReadFile(path) // some are write-only
		current := strings.Join(strings.Fields(string(before)), " ")
		if Lookup(name).HostOnly != nil {
			if name != "net.netfilter.nf_hooks_lwtunnel" && mode.Perm()&0o200 != 0 &&
				!strings.HasSuffix(name, ".stable_secret") {
				t.Errorf("%s can be set, but the catalogue says that it cannot", name)
			}
			return
		}
		for _, value := range sweepValues(parameter, current) {
			if strings.HasSuffix(name, "_next_id") && value != current {
				continue // the kernel does not accept the initial -1, so the value could not be restored
			}
			problem, warning := parameter.CheckValue(value)
			err := os.WriteFile(path, []byte(value), 0)
			after, _ := os.ReadFile(path)
			kept := len(after) == 0 || sameNumbers(value, string(after))
			if len(before) > 0 {
				if restore := os.WriteFile(path, before, 0); restore != nil && err == nil {
					t.Logf("%s: cannot be restored to %q after %q: %v", name, current, value, restore)
				}
			}
			tried++
			switch {
			case problem != "" && err == nil && kept:
				t.Errorf("%s = %q is rejected (%s), but the kernel keeps it: %q", name, value, problem, after)
			case problem == "" && warning == "" && err != nil:
				t.Errorf("%s = %q is accepted, but the kernel rejects it: %v", name, value, err)
			}
		}
	})
	if tried < 1000 {
		t.Errorf("only %d values tried", tried)
	}
	t.Logf("%d values tried", tried)
}

// sameNumbers reports whether the kernel shows the numbers that were written, unchanged.
func sameNumbers(written, shown string) bool {
	a, b := strings.Fields(written), strings.Fields(shown)
	for i := range min(len(a), len(b)) {
		x, err := strconv.ParseInt(a[i], 0, 64)
		y, err2 := strconv.ParseInt(b[i], 0, 64)
		if err == nil && err2 == nil && x != y || err == nil != (err2 == nil) {
			return false
		}
	}
	return true
}

// sweepValues returns the current value, the values at the bounds and just outside, and some that people write.
func sweepValues(p *Parameter, current string) []string {
	switch {
	case p.Name == "net.ipv4.tcp_fastopen_key":
		return []string{"1-2-3-4", "00000001-00000002-00000003-ffffffff,1-2-3-4", "secret", "1-2-3", "1-2-3-4,"}
	case current == "" || p.Type == "text" || p.Type == "mask":
		return nil
	}
	values := []string{current}
	if p.Type == "ports" {
		return append(values, "1,3-5", "200-300", "70000", "5-3", "a", "1;2")
	}
	rest := ""
	if _, others, ok := strings.Cut(current, " "); ok {
		rest = " " + others
	}
	add := func(first string) { values = append(values, first+rest) }
	for _, b := range append(slices.Clone(p.Bounds), usualOf(p)...) {
		add(strconv.FormatInt(b.Min, 10))
		add(strconv.FormatUint(b.Max, 10))
		if b.Min > -1<<63 {
			add(strconv.FormatInt(b.Min-1, 10))
		}
		if b.Max < 1<<64-1 {
			add(strconv.FormatUint(b.Max+1, 10))
		}
	}
	for _, first := range []string{
		"-1", "0", "1", "2", "3", "255", "256", "65535", "65536", "2147483647", "2147483648", "4294967296",
		"18446744073709551616", "0x10", "010", "08", "+1", "1.5", "yes",
		"1k", "1,2",
	} {
		add(first)
	}
	return append(values, current+" 7")
}

func usualOf(p *Parameter) []Bounds {
	if p.Usual == nil {
		return nil
	}
	return []Bounds{*p.Usual}
}

// TestDefaults compares the defaults in the catalogue with new namespaces. It needs the kernel that generated them.
func TestDefaults(t *testing.T) {
	running, _, _ := strings.Cut(strings.TrimSpace(read(t, "/proc/sys/kernel/osrelease")), "-")
	if !strings.Contains(catalogueOrigin, "Running kernel: Linux "+running+".") {
		t.Skipf("NOT RUN: Linux %s is not the kernel of the catalogue", running)
	}
	inNewNamespaces(t, func(name, path string, _ fs.FileMode) {
		parameter := FindParameter(name)
		if parameter == nil || strings.Contains(name, ".all.") || strings.Contains(name, ".lo.") ||
			parameter.DefaultDependsOnNode() {
			return
		}
		content, _ := os.ReadFile(path)
		if now := strings.Join(strings.Fields(string(content)), " "); now != parameter.Default {
			t.Errorf("%s starts with %q, but with %q in the catalogue", name, now, parameter.Default)
		}
	})
}

// inNewNamespaces calls do for each name in new network and IPC namespaces, with the path of its file.
func inNewNamespaces(t *testing.T, do func(name, path string, mode fs.FileMode)) {
	t.Helper()
	within(t, syscall.CLONE_NEWNET|syscall.CLONE_NEWIPC, func() error {
		var errs []error
		for _, folder := range []string{"net", "kernel", "fs/mqueue"} {
			errs = append(errs, filepath.WalkDir("/proc/sys/"+folder,
				func(path string, entry fs.DirEntry, err error) error {
					if err != nil || entry.IsDir() {
						return err
					}
					name := strings.ReplaceAll(strings.TrimPrefix(path, "/proc/sys/"), "/", ".")
					if ScopeOf(name) == Node {
						return nil
					}
					info, err := entry.Info()
					if err != nil {
						return fmt.Errorf("%s: %w", path, err)
					}
					do(name, path, info.Mode())
					return nil
				}))
		}
		return errors.Join(errs...)
	})
}

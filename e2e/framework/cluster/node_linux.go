package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// inNewNamespaces makes a program the first process of new process and mount namespaces.
func inNewNamespaces(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	return cmd
}

// findPlugins finds the folder of the CNI plugins that node/cni names.
func findPlugins() (string, error) {
	var missing error
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		var err error
		for _, plugin := range []string{"bridge", "host-local", "loopback", "portmap"} {
			_, statErr := os.Stat(filepath.Join(dir, plugin))
			err = errors.Join(err, statErr)
		}
		if err == nil {
			return dir, nil
		}
		missing = errors.Join(missing, err)
	}
	return "", fmt.Errorf("no CNI plugins: %w", missing)
}

const cgroupMount = "/sys/fs/cgroup"

// cgroupHierarchies are the mounted ones: one of cgroup v2, or those of v1 and what lies beside them.
func cgroupHierarchies() []string {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}
	}
	entries, _ := os.ReadDir(cgroupMount)
	var found []string
	for _, entry := range entries {
		if entry.IsDir() { // and no link, as cpu,cpuacct often is
			found = append(found, filepath.Join(cgroupMount, entry.Name()))
		}
	}
	return found
}

// makeCgroups makes a cgroup in every hierarchy. A kubelet wants the one that its pods are below to be there.
func makeCgroups(name string) error {
	for _, hierarchy := range cgroupHierarchies() {
		dir := filepath.Join(hierarchy, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if hierarchy != cgroupMount {
			if err := weigh(dir, "cpu.shares", "8192"); err != nil {
				return err
			}
			continue
		}
		// In cgroup v2 a parent says which controllers its children have. Those that a machine lacks are rejected one
		// by one.
		for _, parent := range []string{hierarchy, dir} {
			for _, controller := range []string{"cpu", "cpuset", "hugetlb", "io", "memory", "pids"} {
				_ = os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+controller), 0)
			}
		}
		if err := weigh(dir, "cpu.weight", "800"); err != nil {
			return err
		}
	}
	return nil
}

// weigh gives all pods of a node together eight times the processor time of another busy process of this machine. By
// default they have the time of one, so other programs would starve them. A real node has processors of its own.
func weigh(cgroup, file, weight string) error {
	f, err := os.OpenFile(filepath.Join(cgroup, file), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // of another hierarchy
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(weight)
	return errors.Join(err, f.Close())
}

// removeCgroups removes a cgroup and all below it from every hierarchy. Their processes have ended.
func removeCgroups(name string) error {
	var failed error
	for _, hierarchy := range cgroupHierarchies() {
		failed = errors.Join(failed, removeCgroup(filepath.Join(hierarchy, name)))
	}
	return failed
}

func removeCgroup(root string) error {
	// A cgroup is busy for a moment after the end of its last process.
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var dirs []string
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // one that is gone already is what is wanted
		})
		var failed error
		for _, dir := range slices.Backward(dirs) {
			if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, syscall.ENOENT) {
				failed = errors.Join(failed, &os.PathError{Op: "rmdir", Path: dir, Err: err})
			}
		}
		if failed == nil || time.Now().After(deadline) {
			return failed
		}
	}
}

func removeStaleCgroups() {
	for _, hierarchy := range cgroupHierarchies() {
		entries, _ := os.ReadDir(hierarchy)
		for _, entry := range entries {
			if stale(entry.Name()) {
				_ = removeCgroup(filepath.Join(hierarchy, entry.Name()))
			}
		}
	}
}

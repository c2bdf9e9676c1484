//go:build !linux

package cluster

import "os/exec"

const cgroupMount = "/sys/fs/cgroup"

func inNewNamespaces(cmd *exec.Cmd) *exec.Cmd { return cmd }

func findPlugins() (string, error) { return "", supported() }

func cgroupHierarchies() []string { return nil }

func makeCgroups(string) error { return supported() }

func removeCgroups(string) error { return nil }

func removeStaleCgroups() {}

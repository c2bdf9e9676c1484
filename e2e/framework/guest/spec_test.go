//go:build linux

package main

import (
	"encoding/json"
	"testing"
)

const machineSpec = `{
  "hostname": "pod",
  "hooks": {},
  "root": {"path": "rootfs", "readonly": true},
  "process": {"args": ["sh"], "apparmorProfile": "cri", "oomScoreAdj": 1000},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev/shm", "type": "bind", "source": "/run/sandbox/shm"},
    {"destination": "/etc/hosts", "type": "bind", "source": "/var/lib/hosts"}
  ],
  "linux": {
    "sysctl": {"kernel.shm_rmid_forced": "0"},
    "cgroupsPath": "/kubepods/pod/container",
    "resources": {"devices": [{"allow": false}], "cpu": {"shares": 2}},
    "namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/a"},
			{"type": "mount", "path": "/proc/1/ns/mnt"}],
    "readonlyPaths": ["/proc/sys"]
  }
}`

const guestSpec = `{"linux":{"cgroupsPath":"/id","namespaces":[{"type":"pid"},{"type":"mount"}],` +
	`"readonlyPaths":["/proc/sys"],"resources":{"devices":[{"allow":false}]}},"mounts":[{"destination":"/proc",` +
	`"source":"proc","type":"proc"},{"destination":"/dev/shm","options":["nosuid","noexec","nodev","mode=1777"],` +
	`"source":"shm","type":"tmpfs"},{"destination":"/etc/hosts","source":"/run/machine/var/lib/hosts",` +
	`"type":"bind"}],"process":{"args":["sh"]},"root":{"path":"/run/containers/id/rootfs","readonly":true}}`

func TestSpecFitsTheGuest(t *testing.T) {
	var spec object
	if err := json.Unmarshal([]byte(machineSpec), &spec); err != nil {
		t.Fatal(err)
	}
	if found := spec.sysctls(); len(found) != 1 || found["kernel.shm_rmid_forced"] != "0" {
		t.Errorf("the pod's sysctls are %v", found)
	}
	if found := spec.rootIn("/bundle"); found != "/bundle/rootfs" {
		t.Errorf("the root directory is %s", found)
	}
	fitted, err := json.Marshal(spec.fit("id", "/run/containers/id/rootfs"))
	if err != nil {
		t.Fatal(err)
	}
	if string(fitted) != guestSpec {
		t.Errorf("the specification in the guest is\n%s\nwant\n%s", fitted, guestSpec)
	}
}

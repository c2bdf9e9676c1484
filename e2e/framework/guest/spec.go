//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// object is a part of an OCI specification. Fields that this program does not know stay as they are.
type object map[string]any

const specFile = "config.json"

func readSpec(bundle string) (object, error) { return readObject(filepath.Join(bundle, specFile)) }

func readObject(path string) (object, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var read object
	if err := json.Unmarshal(content, &read); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return read, nil
}

func (o object) write(path string) error {
	content, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// object is a field's value, nil where it has none.
func (o object) object(field string) object {
	value, _ := o[field].(map[string]any)
	return value
}

func (o object) objects(field string) []object {
	list, _ := o[field].([]any)
	var found []object
	for _, item := range list {
		if value, ok := item.(map[string]any); ok {
			found = append(found, value)
		}
	}
	return found
}

func (o object) without(fields ...string) {
	maps.DeleteFunc(o, func(field string, _ any) bool { return slices.Contains(fields, field) })
}

// sysctls are those that Kubernetes sets for a pod.
func (o object) sysctls() map[string]string {
	found := map[string]string{}
	for name, value := range o.object("linux").object("sysctl") {
		found[name] = fmt.Sprint(value)
	}
	return found
}

// rootIn is the path of a container's root directory on the machine.
func (o object) rootIn(bundle string) string {
	path, _ := o.object("root")["path"].(string)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(bundle, path)
}

// fit makes a container's specification one for the guest, where its root directory is already. The pod's network, IPC
// and UTS namespaces are the guest's own, and the guest does not apply the machine's restrictions on a pod's processes.
func (o object) fit(id, root string) object {
	o.without("hostname", "hooks")
	o.object("root")["path"] = root
	o.object("process").fitProcess()
	linux := o.object("linux")
	linux.without("mountLabel", "intelRdt", "sysctl")
	linux["cgroupsPath"] = "/" + id
	if resources := linux.object("resources"); resources != nil {
		resources.without("cpu", "memory", "pids", "hugepageLimits", "blockIO", "network", "rdma", "unified")
	}
	var namespaces []object
	for _, namespace := range linux.objects("namespaces") {
		switch namespace["type"] {
		case "network", "ipc", "uts":
		default:
			namespace.without("path") // it would be a process's of the machine
			namespaces = append(namespaces, namespace)
		}
	}
	linux["namespaces"] = namespaces
	var mounts []object
	for _, mount := range o.objects("mounts") {
		mounts = append(mounts, mount.fitMount())
	}
	o["mounts"] = mounts
	return o
}

func (o object) fitProcess() { o.without("apparmorProfile", "selinuxLabel", "oomScoreAdj") }

func (o object) fitMount() object {
	source, _ := o["source"].(string)
	switch {
	case o["destination"] == "/dev/shm": // the sandbox's, and this one has none
		return object{"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
			"options": []string{"nosuid", "noexec", "nodev", "mode=1777"}}
	case filepath.IsAbs(source):
		o["source"] = filepath.Join(machineDir, source)
	}
	return o
}

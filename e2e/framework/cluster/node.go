package cluster

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-helpers/node/util/sysctl"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
)

// NodeName is what the node of a cluster is called.
const NodeName = "node"

// machineName is the part that holds the namespaces of the node.
const machineName = "node"

// node is the machine that pods run on: process and mount namespaces of its own, in the cluster's network. All that runs
// there ends with its first process.
type node struct {
	files   string // directory: what its programs read
	plugins string // directory of the CNI plugins
	cgroup  string // below which pods are
}

// nodeFiles are the settings of the node's programs. Their paths are the node's own, the same in every cluster.
//
//go:embed node
var nodeFiles embed.FS

// Files in the node's directory, besides those above.
const (
	kubeletCert       = "kubelet.crt"
	kubeletKey        = "kubelet.key"
	kubeletKubeconfig = "kubelet.kubeconfig"
	imageFile         = "images.tar"
	tunablesDir       = "tunables"
	readyFile         = "ready"
)

// Files in the pki directory, with which the API server calls the kubelet.
const (
	kubeletClientCert = "kubelet-client.crt"
	kubeletClientKey  = "kubelet-client.key"
)

// tunables are files below /proc/sys that a kubelet writes at its start, with the values it wants. They belong to the whole
// machine.
var tunables = map[string]int{
	sysctl.VMOvercommitMemory: sysctl.VMOvercommitMemoryAlways,
	sysctl.VMPanicOnOOM:       sysctl.VMPanicOnOOMInvokeOOMKiller,
	sysctl.KernelPanic:        sysctl.KernelPanicRebootTimeout,
	sysctl.KernelPanicOnOops:  sysctl.KernelPanicOnOopsAlways,
	sysctl.RootMaxKeys:        sysctl.RootMaxKeysSetting,
	sysctl.RootMaxBytes:       sysctl.RootMaxBytesSetting,
}

// prepareNode writes what the node's programs read, and makes the cgroup of its pods.
func (c *Cluster) prepareNode(f files, runtimes map[string]string) error {
	plugins, err := findPlugins()
	if err != nil {
		return err
	}
	if err := os.CopyFS(f.node, nodeFS()); err != nil {
		return err
	}
	if err := addRuntimes(f.node, runtimes); err != nil {
		return err
	}
	if err := images.Write(filepath.Join(f.node, imageFile)); err != nil {
		return err
	}
	if err := writeTunables(f.node); err != nil {
		return err
	}
	if err := c.writeNodeCredentials(f); err != nil {
		return err
	}
	c.node = &node{files: f.node, plugins: plugins, cgroup: filepath.Base(f.scratch)}
	return makeCgroups(c.node.cgroup)
}

func writeTunables(dir string) error {
	var list []byte
	for path, value := range tunables {
		file := filepath.Join(dir, tunablesDir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, strconv.AppendInt(nil, int64(value), 10), 0o600); err != nil {
			return err
		}
		list = append(append(list, path...), '\n')
	}
	return os.WriteFile(filepath.Join(dir, tunablesDir+".txt"), list, 0o600)
}

func (c *Cluster) writeNodeCredentials(f files) error {
	user := "system:node:" + NodeName
	kubelet, err := c.authority.issue(clientTemplate(user, "system:nodes"))
	if err != nil {
		return err
	}
	serving, err := c.authority.issue(serverTemplate([]string{NodeName}, c.Address()))
	if err != nil {
		return err
	}
	apiServer, err := c.authority.issue(clientTemplate("kube-apiserver-kubelet-client", "system:masters"))
	if err != nil {
		return err
	}
	for path, content := range map[string][]byte{
		filepath.Join(f.node, caCert):           c.authority.certPEM,
		filepath.Join(f.node, kubeletCert):      serving.cert,
		filepath.Join(f.node, kubeletKey):       serving.key,
		filepath.Join(f.pki, kubeletClientCert): apiServer.cert,
		filepath.Join(f.pki, kubeletClientKey):  apiServer.key,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return clientcmd.WriteToFile(kubeconfig(c.config.Host, user, c.authority, kubelet), filepath.Join(f.node, kubeletKubeconfig))
}

// machine is the node's first process.
func (c *Cluster) machine() part {
	script := filepath.Join(c.node.files, "node.sh")
	return part{
		name: machineName,
		path: "sh",
		args: []string{script, c.node.files, c.binaries.Dir, c.node.plugins, c.binaries.Containerd, c.binaries.Runc},
		command: func(path string, args []string) *exec.Cmd {
			return inNewNamespaces(c.network.command(context.Background(), path, args))
		},
		ready: []check{{"its mounts", func(context.Context) error {
			_, err := os.Stat(filepath.Join(c.node.files, readyFile))
			return err
		}}},
	}
}

func (c *Cluster) containerd() part {
	return part{
		name:    "containerd",
		path:    "containerd",
		args:    []string{"--config=/run/node/" + containerdFile},
		command: c.onNode,
		ready: []check{{"the import of images", func(ctx context.Context) error {
			return c.ImportImages(ctx, filepath.Join("/run/node", imageFile))
		}}},
	}
}

func (c *Cluster) kubelet(extra []string) part {
	args := []string{
		"--config=/run/node/kubelet.yaml",
		"--kubeconfig=/run/node/" + kubeletKubeconfig,
		"--hostname-override=" + NodeName,
		"--node-ip=" + c.Address().String(),
		"--cgroup-root=/" + c.node.cgroup,
	}
	return part{
		name:    "kubelet",
		path:    "/run/kubernetes/kubelet",
		args:    append(args, extra...),
		command: c.onNode,
		ready:   []check{{"the node", c.nodeReady}},
	}
}

// nodeReady passes when pods can be scheduled to the node.
func (c *Cluster) nodeReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.Host+"/api/v1/nodes/"+NodeName, http.NoBody)
	if err != nil {
		return err
	}
	response, err := c.admin.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	var found corev1.Node
	if err := json.NewDecoder(response.Body).Decode(&found); err != nil {
		return err
	}
	if len(found.Spec.Taints) > 0 {
		return fmt.Errorf("it is tainted: %v", found.Spec.Taints)
	}
	for _, condition := range found.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("its conditions are %v", found.Status.Conditions)
}

package cluster

import (
	"bytes"
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

// NodeName is what the first node of a cluster is called.
const NodeName = "node"

// machineName is the part that holds the namespaces of a node.
const machineName = "node"

// Node is a machine that pods run on: process and mount namespaces of its own. All that runs there ends with its
// first process.
type Node struct {
	cluster *Cluster
	name    string
	suffix  string  // of the names of its parts and logs; the first node's have none
	network network // the first node is in the cluster's, every other one has its own
	pods    string  // the network of its pods
	files   string  // directory: what its programs read
	plugins string  // directory of the CNI plugins
	cgroup  string  // below which pods are
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

// tunables are files below /proc/sys that a kubelet writes at its start, with the values it wants. They belong to the
// whole machine.
var tunables = map[string]int{
	sysctl.VMOvercommitMemory: sysctl.VMOvercommitMemoryAlways,
	sysctl.VMPanicOnOOM:       sysctl.VMPanicOnOOMInvokeOOMKiller,
	sysctl.KernelPanic:        sysctl.KernelPanicRebootTimeout,
	sysctl.KernelPanicOnOops:  sysctl.KernelPanicOnOopsAlways,
	sysctl.RootMaxKeys:        sysctl.RootMaxKeysSetting,
	sysctl.RootMaxBytes:       sysctl.RootMaxBytesSetting,
}

// prepareNode writes what the programs of the first node read, and makes the cgroup of its pods.
func (c *Cluster) prepareNode() error {
	if err := c.writeKubeletClient(); err != nil {
		return err
	}
	n := &Node{cluster: c, name: NodeName, network: c.network, pods: podNetwork(1), files: c.files.node,
		cgroup: filepath.Base(c.files.scratch)}
	c.nodes = append(c.nodes, n)
	return n.prepare()
}

// prepare writes what the programs of a node read, and makes the cgroup of its pods.
func (n *Node) prepare() error {
	var err error
	if n.plugins, err = findPlugins(); err != nil {
		return err
	}
	if err := os.CopyFS(n.files, nodeFS()); err != nil {
		return err
	}
	if err := n.setPodNetwork(); err != nil {
		return err
	}
	if err := addRuntimes(n.files, n.cluster.settings.Runtimes); err != nil {
		return err
	}
	if err := images.Write(filepath.Join(n.files, imageFile)); err != nil {
		return err
	}
	if err := writeTunables(n.files); err != nil {
		return err
	}
	if err := n.writeCredentials(); err != nil {
		return err
	}
	return makeCgroups(n.cgroup)
}

// setPodNetwork writes the network of the node's pods into the settings of the CNI plugins.
func (n *Node) setPodNetwork() error {
	path := filepath.Join(n.files, "cni", "bridge.conflist")
	settings, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(settings, []byte(podNetwork(1)), []byte(n.pods)), 0o600)
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

func (n *Node) writeCredentials() error {
	c, user := n.cluster, "system:node:"+n.name
	kubelet, err := c.authority.issue(clientTemplate(user, "system:nodes"))
	if err != nil {
		return err
	}
	serving, err := c.authority.issue(serverTemplate([]string{n.name}, n.network.address()))
	if err != nil {
		return err
	}
	if err := writeFiles(n.files, map[string][]byte{caCert: c.authority.certPEM, kubeletCert: serving.cert,
		kubeletKey: serving.key}); err != nil {
		return err
	}
	return clientcmd.WriteToFile(kubeconfig(c.config.Host, user, c.authority, kubelet),
		filepath.Join(n.files, kubeletKubeconfig))
}

// writeKubeletClient writes the certificate by which the API server calls kubelets.
func (c *Cluster) writeKubeletClient() error {
	apiServer, err := c.authority.issue(clientTemplate("kube-apiserver-kubelet-client", "system:masters"))
	if err != nil {
		return err
	}
	return writeFiles(c.files.pki,
		map[string][]byte{kubeletClientCert: apiServer.cert, kubeletClientKey: apiServer.key})
}

func writeFiles(dir string, files map[string][]byte) error {
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// parts are the programs of a node, in the order of their start.
func (n *Node) parts() []part { return []part{n.machine(), n.containerd(), n.kubelet()} }

// machine is the node's first process.
func (n *Node) machine() part {
	binaries := n.cluster.binaries
	return part{
		name: machineName + n.suffix,
		path: "sh",
		args: []string{filepath.Join(n.files, "node.sh"), n.files, binaries.Dir, n.plugins, binaries.Containerd,
			binaries.Runc},
		command: func(path string, args []string) *exec.Cmd {
			return inNewNamespaces(n.network.command(context.Background(), path, args))
		},
		ready: []check{{"its mounts", func(context.Context) error {
			_, err := os.Stat(filepath.Join(n.files, readyFile))
			return err
		}}},
	}
}

func (n *Node) containerd() part {
	return part{
		name:    "containerd" + n.suffix,
		path:    "containerd",
		args:    []string{"--config=/run/node/" + containerdFile},
		command: n.part,
		ready: []check{{"the import of images", func(ctx context.Context) error {
			return n.ImportImages(ctx, filepath.Join("/run/node", imageFile))
		}}},
	}
}

func (n *Node) kubelet() part {
	args := []string{
		"--config=/run/node/kubelet.yaml",
		"--kubeconfig=/run/node/" + kubeletKubeconfig,
		"--hostname-override=" + n.name,
		"--node-ip=" + n.network.address().String(),
		"--cgroup-root=/" + n.cgroup,
	}
	return part{
		name:    "kubelet" + n.suffix,
		path:    "/run/kubernetes/kubelet",
		args:    append(args, n.cluster.settings.KubeletArgs...),
		command: n.part,
		ready:   []check{{"the node", n.ready}},
	}
}

// ready passes when pods can be scheduled to the node.
func (n *Node) ready(ctx context.Context) error {
	c := n.cluster
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.Host+"/api/v1/nodes/"+n.name, http.NoBody)
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

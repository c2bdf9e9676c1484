package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/sysctl-injector/sysctl-injector/e2e/tools"
)

// NodeCommand prepares a program that runs on the first node.
func (c *Cluster) NodeCommand(ctx context.Context, name string, args ...string) *exec.Cmd {
	first := &Node{cluster: c} // without a node, nsenter rejects it
	if len(c.nodes) > 0 {
		first = c.nodes[0]
	}
	return first.Command(ctx, name, args...)
}

// ImportImages gives every node images from tarballs, as `docker save` writes them. Pods need imagePullPolicy
// IfNotPresent or Never.
func (c *Cluster) ImportImages(ctx context.Context, paths ...string) error {
	for _, node := range c.nodes {
		if err := node.ImportImages(ctx, paths...); err != nil {
			return err
		}
	}
	return nil
}

// Command prepares a program that runs on the node: `ctr` finds its containerd there, and process ids are the node's
// own. The node's end is the program's end too.
func (n *Node) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := n.enter(ctx, name, args)
	cmd.Env = withoutProxies(cmd.Env)
	dieWithParent(cmd)
	return cmd
}

// ImportImages gives the node images from tarballs.
func (n *Node) ImportImages(ctx context.Context, paths ...string) error {
	for _, path := range paths {
		if output, err := n.Command(ctx, "ctr", "--namespace=k8s.io", "images", "import",
			path).CombinedOutput(); err != nil {
			return fmt.Errorf("import %s: %w: %s", path, err, strings.TrimSpace(string(output)))
		}
	}
	return nil
}

// part is how a part of the node is started.
func (n *Node) part(path string, args []string) *exec.Cmd {
	return n.enter(context.Background(), path, args)
}

// enter runs a program in the namespaces of the node's first process. The program ends with the node. The end of
// nsenter, which waits for it outside, does not end it.
func (n *Node) enter(ctx context.Context, path string, args []string) *exec.Cmd {
	entering := []string{"--target=" + n.machineID(), "--mount", "--pid", "--net", "--", path}
	cmd := exec.CommandContext(ctx, "nsenter", append(entering, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+nodePath+os.Getenv("PATH"))
	return cmd
}

// nodePath puts the container runtime that was built before the machine's own. containerd finds its shim and runc
// there.
const nodePath = "/run/programs/containerd:/run/programs/runc:"

func (n *Node) machineID() string {
	if i, err := n.cluster.find(machineName + n.suffix); err == nil {
		return fmt.Sprint(n.cluster.processes[i].cmd.Process.Pid)
	}
	return "none" // which nsenter rejects
}

// nodeFS is the embedded folder's content.
func nodeFS() fs.FS {
	sub, err := fs.Sub(nodeFiles, "node")
	if err != nil {
		panic(err) // the folder's name is a constant
	}
	return sub
}

// nodePackages brings on Debian and Ubuntu what a node needs, and what building runc needs.
const nodePackages = "apt-get install containernetworking-plugins busybox-static iptables gcc libseccomp-dev pkg-config"

// NodeSupported returns why this machine cannot run a node, or nil if it probably can.
func NodeSupported() error {
	if err := supported(); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("a node needs root, and this is user %d", os.Geteuid())
	}
	var missing []error
	for _, program := range []string{"iptables", "busybox", "nsenter", "mount"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, err)
		}
	}
	if _, err := findPlugins(); err != nil {
		missing = append(missing, err)
	}
	missing = append(missing, runcSupported())
	if errors.Join(missing...) != nil {
		return fmt.Errorf("a node lacks programs (`%s` on Debian and Ubuntu): %w", nodePackages,
			errors.Join(missing...))
	}
	if len(cgroupHierarchies()) == 0 {
		return errors.New("a node needs cgroups, and none are mounted at " + cgroupMount)
	}
	return nil
}

// runcSupported returns why runc cannot be built here, or nil if it can be or is already built.
func runcSupported() error {
	if _, err := tools.Find("runc"); !errors.Is(err, tools.ErrNotBuilt) {
		return err
	}
	var missing []error
	for _, program := range []string{"gcc", "pkg-config"} {
		_, err := exec.LookPath(program)
		missing = append(missing, err)
	}
	if err := errors.Join(missing...); err != nil {
		return err
	}
	if output, err := exec.Command("pkg-config", "--exists", "--print-errors", "libseccomp").
		CombinedOutput(); err != nil {
		return fmt.Errorf("find libseccomp: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

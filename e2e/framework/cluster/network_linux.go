package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaceDir is where ip(8) keeps named network namespaces.
const namespaceDir = "/run/netns"

// isolated is a network namespace with a loopback and a node's interface. It is connected to nothing but the
// namespaces of further nodes.
type isolated struct {
	name string
	ip   string
	file *os.File
}

// nodeInterface is one end of a veth pair, both ends of which lie in the namespace. Machines without the dummy
// interface type have this one. The default route lets processes that look for one start. Instead of a kube-proxy,
// the API server itself has the address that pods call it at.
const nodeInterface = `link set lo up
link add node0 type veth peer name node0-peer
link set node0-peer up
address add ` + nodeAddress + `/24 dev node0
address add ` + serviceAddress + `/32 dev lo
link set node0 up
route add default dev node0
`

func newNamespace(name string) (network, error) {
	if _, err := exec.LookPath("nsenter"); err != nil {
		return nil, err
	}
	n, err := addNamespace(name, nodeAddress, nodeInterface)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// addNamespace makes a namespace and runs commands of ip(8) in it.
func addNamespace(name, address, commands string) (*isolated, error) {
	if err := ip("", "netns", "add", name); err != nil {
		return nil, err
	}
	n := &isolated{name: name, ip: address}
	err := ip(commands, "-n", n.name, "-batch", "-")
	if err == nil {
		n.file, err = os.Open(filepath.Join(namespaceDir, n.name))
	}
	if err != nil {
		_ = n.close()
		return nil, err
	}
	return n, nil
}

// join makes a namespace that a pair of interfaces connects to this one. Each routes to the pods of the other.
func (n *isolated) join(name string, node int) (network, error) {
	here, there := linkAddresses(node)
	joined, err := addNamespace(name, there, "link set lo up\n")
	if err != nil {
		return nil, err
	}
	link := fmt.Sprintf("link%d", node)
	err = ip(fmt.Sprintf(`link add %[1]s type veth peer name node0 netns %[2]s
address add %[3]s/24 dev %[1]s
link set %[1]s up
route add %[4]s via %[5]s
`, link, name, here, podNetwork(node), there), "-n", n.name, "-batch", "-")
	if err == nil {
		err = ip(fmt.Sprintf(`address add %s/24 dev node0
link set node0 up
route add default via %s
`, there, here), "-n", name, "-batch", "-")
	}
	if err != nil {
		_ = joined.close()
		return nil, err
	}
	return joined, nil
}

// disconnect takes down this end of the link. At the other one, the addresses stay and nothing answers.
func (n *isolated) disconnect() error {
	return ip("link set node0 down\n", "-n", n.name, "-batch", "-")
}

func ip(input string, args ...string) error {
	cmd := exec.Command("ip", args...)
	cmd.Stdin = strings.NewReader(input)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}

func (n *isolated) namespace() string { return n.name }
func (n *isolated) address() net.IP   { return net.ParseIP(n.ip) }

func (n *isolated) close() error {
	if n.file != nil {
		_ = n.file.Close()
	}
	return ip("", "netns", "delete", n.name)
}

// command uses nsenter and not `ip netns exec`, which mounts another /sys and so hides the cgroups a kubelet needs.
// nsenter replaces itself by the program, so the process id and the death signal are the program's.
func (n *isolated) command(ctx context.Context, path string, args []string) *exec.Cmd {
	entering := []string{"--net=" + filepath.Join(namespaceDir, n.name), "--", path}
	return exec.CommandContext(ctx, "nsenter", append(entering, args...)...)
}

func (n *isolated) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	if err := literal(address); err != nil {
		return nil, err
	}
	enterErr := n.inside(func() { conn, err = new(net.Dialer).DialContext(ctx, network, address) })
	if enterErr != nil {
		return nil, enterErr
	}
	return conn, err
}

func (n *isolated) listen(network, address string) (listener net.Listener, err error) {
	if err := literal(address); err != nil {
		return nil, err
	}
	if err := n.inside(func() { listener, err = net.Listen(network, address) }); err != nil {
		return nil, err
	}
	return listener, err
}

// literal rejects host names: package net would look them up, and try several addresses at once, on threads that are
// not in the namespace.
func literal(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if host != "" && net.ParseIP(host) == nil {
		return fmt.Errorf("%q is not an IP address: names cannot be looked up inside the cluster's network namespace",
			host)
	}
	return nil
}

// inside runs a function on a thread that is in the namespace. A socket stays in the namespace it was made in,
// whichever thread uses it later.
func (n *isolated) inside(do func()) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		outside, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		defer outside.Close()
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("enter network namespace %s: %w", n.name, err)
			return
		}
		do()
		// A thread is given back only in the state it was taken in. One that cannot be ends with this goroutine. To
		// end every one would be simpler, but would kill the commands that were started from it earlier: their death
		// signal is tied to the thread.
		if err := unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET); err == nil {
			runtime.UnlockOSThread()
		}
		done <- nil
	}()
	return <-done
}

func removeStaleNamespaces() {
	entries, _ := os.ReadDir(namespaceDir)
	for _, entry := range entries {
		if stale(entry.Name()) {
			_ = ip("", "netns", "delete", entry.Name())
		}
	}
}

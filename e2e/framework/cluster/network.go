package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// network is where a cluster's processes listen and connect.
type network interface {
	namespace() string
	address() net.IP
	dial(ctx context.Context, network, address string) (net.Conn, error)
	listen(network, address string) (net.Listener, error)
	command(ctx context.Context, path string, args []string) *exec.Cmd
	// join makes the network of a further node.
	join(name string, node int) (network, error)
	// disconnect cuts the network of a further node off.
	disconnect() error
	close() error
}

// newNetwork makes a network namespace, or says why not and falls back to the host's loopback, where no node can be.
func newNetwork(name string, config Config) (network, error) {
	if config.Loopback {
		return loopback{}, nil
	}
	isolated, err := newNamespace(name)
	switch {
	case err == nil:
		return isolated, nil
	case config.Node:
		return nil, fmt.Errorf("make the network namespace that a node needs: %w", err)
	}
	fmt.Fprintf(config.Progress, "cluster: no network namespace, so it listens on free ports of 127.0.0.1: %v\n", err)
	return loopback{}, nil
}

// loopback is the host's own loopback interface.
type loopback struct{}

func (loopback) namespace() string { return "" }
func (loopback) address() net.IP   { return net.IPv4(127, 0, 0, 1) }
func (loopback) close() error      { return nil }
func (loopback) disconnect() error { return errNoNode }

func (loopback) join(string, int) (network, error) { return nil, errNoNode }

var errNoNode = errors.New("a node needs a network namespace")

func (loopback) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (loopback) listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

func (loopback) command(ctx context.Context, path string, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, path, args...)
}

// Addresses inside a namespace, the same in each: no two can meet.
const (
	nodeAddress    = "10.100.0.1"
	serviceNetwork = "10.96.0.0/16"
	serviceAddress = "10.96.0.1" // of the service kubernetes.default
)

// ports of the parts.
type ports struct {
	etcdClient, etcdPeer, apiServer, controllerManager, scheduler int
}

// choosePorts takes the usual ports in a namespace, where they are free, and any free ones on the loopback. The API
// server's is that of the service kubernetes.default.
func choosePorts(n network) (ports, error) {
	if n.namespace() != "" {
		return ports{etcdClient: 2379, etcdPeer: 2380, apiServer: 443, controllerManager: 10257, scheduler: 10259}, nil
	}
	var p ports
	for _, port := range []*int{&p.etcdClient, &p.etcdPeer, &p.apiServer, &p.controllerManager, &p.scheduler} {
		listener, err := n.listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports{}, fmt.Errorf("find a free port: %w", err)
		}
		// Closed only when all are chosen, so that no port is chosen twice.
		defer listener.Close()
		*port = listener.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// withoutProxies removes proxy settings: the cluster makes no calls outside.
func withoutProxies(environment []string) []string {
	var kept []string
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY":
		default:
			kept = append(kept, entry)
		}
	}
	return kept
}

// Kubectl runs kubectl as an administrator, with input on its standard input, and returns what it prints. The error
// has what it prints on standard error.
func (c *Cluster) Kubectl(ctx context.Context, input string, args ...string) (string, error) {
	cmd := c.Command(ctx, "kubectl", args...)
	var problem strings.Builder
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), &problem
	output, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, problem.String())
	}
	return string(output), err
}

// Command prepares a program that runs inside the cluster's network, with KUBECONFIG set and the cluster's kubectl
// first in PATH. It dies with the calling process.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	environment := withoutProxies(os.Environ())
	// Looked up here, as the PATH below is the program's and not this process's.
	if slices.Contains(kubernetesBinaries, name) {
		name = c.binaries.Path(name)
		environment = append([]string{rareCollection}, environment...)
	}
	cmd := c.network.command(ctx, name, args)
	cmd.Env = slices.Concat(environment, []string{
		"PATH=" + c.binaries.Dir + string(os.PathListSeparator) + os.Getenv("PATH"),
		"KUBECONFIG=" + c.Kubeconfig(),
		// kubectl keys what it remembers by address, which all clusters share, and reads the person's preferences.
		"KUBECACHEDIR=" + filepath.Join(c.dir, kubectlCacheDir),
		"KUBERC=off",
	})
	dieWithParent(cmd)
	return cmd
}

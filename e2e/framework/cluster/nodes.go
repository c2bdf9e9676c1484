package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// StartNode adds a node to a cluster that has one, and returns when pods can be scheduled to it. Its pods and those
// of other nodes reach each other, and the API server reaches all. Nothing else may be started in the cluster at the
// same time.
func (c *Cluster) StartNode(ctx context.Context) (*Node, error) {
	if len(c.nodes) == 0 {
		return nil, errors.New("start a further node: the cluster was started without Config.Node")
	}
	ctx, cancel := context.WithTimeout(ctx, c.settings.StartTimeout)
	defer cancel()
	number := len(c.nodes) + 1
	n := &Node{
		cluster: c, name: fmt.Sprintf("%s-%d", NodeName, number), suffix: fmt.Sprintf("-%d", number),
		pods:  podNetwork(number),
		files: fmt.Sprintf("%s-%d", c.files.node, number),
		// No dash, because RemoveStale parses such names.
		cgroup: fmt.Sprintf("%sn%d", filepath.Base(c.files.scratch), number),
	}
	var err error
	if n.network, err = c.network.join(n.cgroup, number); err != nil {
		return nil, fmt.Errorf("connect node %s: %w", n.name, err)
	}
	c.nodes = append(c.nodes, n) // from here on, Stop removes it
	if err := n.prepare(); err != nil {
		return nil, fmt.Errorf("prepare node %s: %w", n.name, err)
	}
	for _, part := range n.parts() {
		if err := c.run(ctx, stage{part}); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// Name is the name of the Node object.
func (n *Node) Name() string { return n.name }

// Kill ends a further node as a power failure does: nothing answers at its addresses any more. The Node object stays.
func (n *Node) Kill() error {
	if n.suffix == "" {
		return errors.New("the first node cannot be killed: it shares its network with the API server")
	}
	// First, so that no packet reveals that a process has ended.
	if err := n.network.disconnect(); err != nil {
		return fmt.Errorf("disconnect node %s: %w", n.name, err)
	}
	for _, part := range n.parts() { // the kernel ends the others with the first
		i, err := n.cluster.find(part.name)
		if err != nil {
			return err
		}
		process := n.cluster.processes[i]
		process.kill()
		<-process.exited
		n.cluster.processes = slices.Delete(n.cluster.processes, i, i+1)
	}
	return nil
}

// stopNodes removes what is left of the nodes when their processes have ended.
func (c *Cluster) stopNodes() error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, removeCgroups(n.cgroup))
		if n.network != nil && n.suffix != "" {
			errs = append(errs, n.network.close())
		}
	}
	return errors.Join(errs...)
}

// podNetwork is the network of a node's pods.
func podNetwork(node int) string { return fmt.Sprintf("10.%d.0.0/16", 243+node) }

// linkAddresses are both ends of the link between the cluster's network and a further node.
func linkAddresses(node int) (here, there string) {
	return fmt.Sprintf("10.100.%d.1", node), fmt.Sprintf("10.100.%d.2", node)
}

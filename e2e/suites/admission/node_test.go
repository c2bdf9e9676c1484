package admission_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycoordinationv1 "k8s.io/client-go/applyconfigurations/coordination/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
)

// heartbeat is how often the node's Lease is renewed. Without a renewal for 50 s (40 s before Kubernetes 1.32), the
// node lifecycle controller declares the node unreachable and taints it.
const heartbeat = 5 * time.Second

// readyNode is a node object without a machine behind it, for which the DaemonSet controller creates pods. It is
// Ready and its Lease is renewed, because the controller creates no pod for a node with another taint than the
// unschedulable one. All tests share it: with two nodes, a DaemonSet has two pods.
type readyNode struct {
	name string
	stop context.CancelFunc
	// ended gets the error of the last failed renewal of the Lease, if one failed.
	ended chan error
}

// startNode creates the node and returns when it has no taint that a DaemonSet's pod does not tolerate.
func startNode(ctx context.Context) (*readyNode, error) {
	node, err := client.CoreV1().Nodes().Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "ready-", Labels: map[string]string{"kubernetes.io/os": "linux"}},
		Spec:       corev1.NodeSpec{Unschedulable: true}, // the scheduler sends no other pod there
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	now := metav1.Now()
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastHeartbeatTime: now,
		LastTransitionTime: now,
	}}
	node.ResourceVersion = "" // a controller may have tainted the node since
	if _, err := client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return nil, fmt.Errorf("set the conditions of node %s: %w", node.Name, err)
	}
	n := &readyNode{name: node.Name, ended: make(chan error, 1)}
	if err := n.renew(ctx); err != nil {
		return nil, err
	}
	// The context of the suite's preparation ends before its tests do.
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop = stop
	go func() { n.ended <- n.keepRenewing(renewing) }()
	// A new node is tainted as not ready until the controller has seen its conditions.
	err = await.Answer(ctx, "node "+node.Name+" to lose its taint", pace, patience,
		func(ctx context.Context) (string, bool) {
			err := n.check(ctx)
			return fmt.Sprint(err), err == nil
		})
	if err != nil {
		return nil, errors.Join(err, n.remove(ctx))
	}
	return n, nil
}

// keepRenewing renews the Lease until ctx ends. It goes on after a failed renewal, and returns the last error.
func (n *readyNode) keepRenewing(ctx context.Context) (failed error) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return failed
		case <-ticker.C:
			if err := n.renew(ctx); err != nil && ctx.Err() == nil {
				failed = err
			}
		}
	}
}

// renew creates the Lease, or renews it. It does not depend on how the renewal before ended.
func (n *readyNode) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	lease := applycoordinationv1.Lease(n.name, corev1.NamespaceNodeLease).WithSpec(applycoordinationv1.LeaseSpec().
		WithHolderIdentity(n.name).WithLeaseDurationSeconds(40).WithRenewTime(metav1.NowMicro()))
	_, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Apply(ctx, lease,
		metav1.ApplyOptions{FieldManager: "e2e"})
	if err != nil {
		return fmt.Errorf("renew the Lease of node %s: %w", n.name, err)
	}
	return nil
}

// check returns why a DaemonSet has no pod for the node, or nil if it has one.
func (n *readyNode) check(ctx context.Context) error {
	node, err := client.CoreV1().Nodes().Get(ctx, n.name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, taint := range node.Spec.Taints {
		if taint.Key != corev1.TaintNodeUnschedulable {
			return fmt.Errorf("node %s has the taint %s", n.name, taint.ToString())
		}
	}
	return nil
}

// remove stops the heartbeats and deletes the node. It returns an error if the node was not Ready to the end. A renewal
// that failed is then part of the error.
func (n *readyNode) remove(ctx context.Context) error {
	unfit := n.check(ctx)
	n.stop()
	if failed := <-n.ended; unfit != nil {
		unfit = errors.Join(unfit, failed)
	}
	return errors.Join(unfit, client.CoreV1().Nodes().Delete(ctx, n.name, metav1.DeleteOptions{}))
}

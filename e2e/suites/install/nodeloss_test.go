package install_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
)

// How long Kubernetes waits for a node before it takes the node's pods out of Services, by default and here.
const (
	defaultGrace = "--node-monitor-grace-period=50s"
	shortGrace   = "--node-monitor-grace-period=20s"
)

// soon makes Kubernetes replace pods 5 s after their node became unreachable. The default is 300 s.
const soon = `--set-json=tolerations=[` +
	`{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":5},` +
	`{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":5}]`

// TestNodeLoss runs the servers on two nodes, and one of the nodes loses its power while pods are created all the
// time.
func TestNodeLoss(t *testing.T) {
	installed(t)
	defer keepLogs(t)
	c := suite.Cluster(t)
	second := startNode(t, c)
	restartControllers(t, shortGrace)
	t.Cleanup(func() { restartControllers(t, defaultGrace) })

	install(t, system, former, soon)
	kubectl(t, "rollout", "restart", "deployment/"+program, "-n", system)
	rolledOut(t, system, former)
	gone(t)
	if nodes := nodesOfServers(t); !nodes[second.Name()] || len(nodes) != 2 {
		t.Fatalf("the servers run on %v, want them on both nodes", nodes)
	}

	l := startLoad(t)
	var began time.Time
	var unlisted, whole time.Duration
	counted := l.during(t, func() {
		began = time.Now()
		must(t, second.Kill())
		eventually(t, "the Service to forget the server of the lost node",
			func(ctx context.Context) error { return notListed(ctx, second) })
		unlisted = time.Since(began)
		eventually(t, "two servers on the other node", func(context.Context) error {
			if nodes := nodesOfServers(t); nodes[second.Name()] {
				return fmt.Errorf("they are on %v", nodes)
			}
			return nil
		})
		rolledOut(t, system, former)
		whole = time.Since(began)
	})
	report("a node with one of two servers loses its power", counted)
	t.Logf("the Service lists the lost server for %s, two servers are ready after %s; the last pod was "+
		"rejected after %s",
		round(unlisted), round(whole), round(max(0, counted.latest.Sub(began))))
	wantInjected(t, counted)
}

// startNode adds a node with the project's image, and removes what is left of it in the cluster when the test ends.
func startNode(t *testing.T, c *cluster.Cluster) *cluster.Node {
	t.Helper()
	node, err := c.StartNode(t.Context())
	must(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		// As a cloud provider does, delete the Node of a machine that is gone. Its pods are deleted too.
		err := objects.Delete(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node.Name()}})
		pods, listErr := clientset.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" +
			node.Name()})
		must(t, errors.Join(err, listErr))
		for _, pod := range pods.Items {
			if err := objects.Delete(ctx, &pod, client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
				t.Error(err)
			}
		}
	})
	must(t, node.ImportImages(t.Context(), archives...))
	return node
}

func restartControllers(t *testing.T, flag string) {
	t.Helper()
	must(t, suite.Cluster(t).Restart(context.WithoutCancel(t.Context()), "kube-controller-manager", flag))
}

func nodesOfServers(t *testing.T) map[string]bool {
	t.Helper()
	nodes := map[string]bool{}
	for _, pod := range servers(t, system) {
		nodes[pod.Spec.NodeName] = true
	}
	return nodes
}

// notListed returns an error while the Service has a ready endpoint on a node.
func notListed(ctx context.Context, node *cluster.Node) error {
	slices := &discoveryv1.EndpointSliceList{}
	if err := objects.List(ctx, slices, client.InNamespace(system)); err != nil {
		return err
	}
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			if ptr.Deref(endpoint.NodeName, "") == node.Name() && ptr.Deref(endpoint.Conditions.Ready, true) {
				return fmt.Errorf("it lists %v", endpoint.Addresses)
			}
		}
	}
	return nil
}

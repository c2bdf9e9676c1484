package install_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// pause is how long a disturbance lasts that does not end by itself.
const pause = 5 * time.Second

// TestAvailability disturbs an installation while pods are created all the time.
func TestAvailability(t *testing.T) {
	installed(t)
	l := startLoad(t)
	for _, disturbance := range []struct {
		name string
		do   func(*testing.T)
		want func(*testing.T, tally)
	}{
		// Daily operations of an administrator or a platform cost no pod.
		{"nothing happens", func(t *testing.T) { l.flows(t, settled) }, wantNone},
		{"the servers are rolled", rollServers, wantNone},
		{"the node is drained of them, one by one", drainServers, wantNone},
		{"the leader ends", endLeader, wantNone},
		{"cert-manager renews the certificate", func(t *testing.T) { renew(t, program) }, wantNone},
		{"cert-manager renews the CA, then the certificate", func(t *testing.T) {
			renew(t, program+"-ca")
			renew(t,
				program)
		}, wantNone},
		// A fault may lead to rejected pods, which controllers create again, but never to pods without their sysctls.
		{"the leader is killed", killLeader, wantInjected},
		{"the API server restarts", restartAPIServer, wantInjected},
		{"etcd pauses for 5 s", pauseEtcd, wantInjected},
	} {
		t.Run(disturbance.name, func(t *testing.T) {
			defer keepLogs(t)
			counted := l.during(t, func() { disturbance.do(t) })
			report(disturbance.name, counted)
			disturbance.want(t, counted)
		})
	}
	t.Run("bad traffic", func(t *testing.T) {
		defer keepLogs(t)
		before := l.during(t, func() { l.flows(t, 2*settled) })
		counted := l.during(t, func() { sendBadTraffic(t, l) })
		t.Logf("p99 of good traffic: %.1f times that of just before",
			float64(counted.quantile(0.99))/float64(before.quantile(0.99)))
		report("bad traffic", counted)
		wantNone(t, counted)
	})
}

// installed makes sure that the chart is installed with its defaults and that its servers answer.
func installed(t *testing.T) {
	t.Helper()
	suite.Cluster(t)
	defer keepLogs(t)
	certManager.start(t)
	if namespace := installedIn(t); namespace != "" && namespace != system {
		uninstalled(t)
	}
	install(t, system, former)
	serving(t, system, former)
}

func wantNone(t *testing.T, counted tally) {
	t.Helper()
	wantInjected(t, counted)
	for message, n := range counted.rejected {
		t.Errorf("%d of %d pods were rejected: %s", n, counted.count(), message)
	}
}

func wantInjected(t *testing.T, counted tally) {
	t.Helper()
	if counted.bare > 0 {
		t.Errorf("%d of %d pods were admitted without the container that sets their sysctls", counted.bare,
			counted.created)
	}
}

func rollServers(t *testing.T) {
	kubectl(t, "rollout", "restart", "deployment/"+program, "-n", system)
	rolledOut(t, system, former)
	gone(t)
}

// gone waits until all terminating servers have ended: until then they could still lose requests.
func gone(t *testing.T) {
	t.Helper()
	eventually(t, "the former servers to end", func(ctx context.Context) error {
		list, err := clientset.CoreV1().Pods(system).List(ctx, metav1.ListOptions{})
		if err == nil && len(list.Items) != 2 {
			err = fmt.Errorf("there are %d", len(list.Items))
		}
		return err
	})
}

// drainServers evicts all servers as `kubectl drain` does, except that this node, the only one, stays open to their
// successors.
func drainServers(t *testing.T) {
	rejected := 0
	for _, pod := range servers(t, system) {
		eventually(t, "the eviction of "+pod.Name, func(ctx context.Context) error {
			err := clientset.CoreV1().Pods(system).EvictV1(ctx,
				&policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: system}})
			if apierrors.IsTooManyRequests(err) {
				rejected++
			}
			return err
		})
	}
	if rejected == 0 {
		t.Error("both servers could be evicted at once, want the PodDisruptionBudget to keep one")
	}
	rolledOut(t, system, former)
	gone(t)
}

// endLeader stops the leader with SIGTERM, so it exits as it does when it cannot renew the Lease: its pod stays, and
// only its readiness shows that it ends. Any server may lead next, also the restarted one in the same pod.
func endLeader(t *testing.T) {
	former, pod := leader(t)
	kill(t, pod, "SIGTERM")
	restarted(t, pod)
	eventually(t, "another leader", func(ctx context.Context) error {
		lease := &coordinationv1.Lease{}
		err := objects.Get(ctx, client.ObjectKey{Namespace: system, Name: program}, lease)
		if holder := ptr.Deref(lease.Spec.HolderIdentity, ""); err == nil && (holder == "" || holder == former) {
			err = fmt.Errorf("it is %q", holder)
		}
		return err
	})
}

// leader returns the holder of the Lease, and that server's pod.
func leader(t *testing.T) (identity string, pod corev1.Pod) {
	t.Helper()
	eventually(t, "a leader", func(ctx context.Context) error {
		lease := &coordinationv1.Lease{}
		if err := objects.Get(ctx, client.ObjectKey{Namespace: system, Name: program}, lease); err != nil {
			return err
		}
		identity = ptr.Deref(lease.Spec.HolderIdentity, "")
		for _, pod = range servers(t, system) {
			if strings.HasPrefix(identity, pod.Name+"_") {
				return nil
			}
		}
		return fmt.Errorf("it is %q, which is no server", identity)
	})
	return identity, pod
}

// killLeader ends the leader's process as a crash does.
func killLeader(t *testing.T) {
	_, victim := leader(t)
	kill(t, victim, "SIGKILL")
	restarted(t, victim)
}

// kill sends a signal to a server's process.
func kill(t *testing.T, server corev1.Pod, signal string) {
	t.Helper()
	id := strings.TrimPrefix(server.Status.ContainerStatuses[0].ContainerID, "containerd://")
	output, err := suite.Cluster(t).NodeCommand(t.Context(), "ctr", "--namespace=k8s.io", "tasks", "kill",
		"--signal="+signal, id).CombinedOutput()
	if err != nil {
		t.Fatalf("send %s to server %s: %v: %s", signal, server.Name, err, output)
	}
}

// restarted waits until the kubelet has started a server again.
func restarted(t *testing.T, former corev1.Pod) {
	t.Helper()
	eventually(t, "the kubelet to start "+former.Name+" again", func(ctx context.Context) error {
		pod, err := clientset.CoreV1().Pods(system).Get(ctx, former.Name, metav1.GetOptions{})
		if err == nil && (restarts(*pod) == restarts(former) || !clustertest.PodReady(pod)) {
			err = errors.New("it is not ready")
		}
		return err
	})
}

func restarts(pod corev1.Pod) int32 { return pod.Status.ContainerStatuses[0].RestartCount }

func restartAPIServer(t *testing.T) {
	must(t, suite.Cluster(t).Restart(t.Context(), "kube-apiserver"))
	rolledOut(t, system, former)
}

func pauseEtcd(t *testing.T) {
	c := suite.Cluster(t)
	must(t, c.Signal("etcd", syscall.SIGSTOP))
	time.Sleep(pause)
	must(t, c.Signal("etcd", syscall.SIGCONT))
	rolledOut(t, system, former)
}

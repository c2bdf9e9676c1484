package install_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// fault breaks an installation.
type fault struct {
	name string
	// begin breaks something, and returns a function that repairs it. It returns nil if the cluster repairs it.
	begin func(*testing.T) (end func())
	// lasts is how long the fault lasts.
	lasts time.Duration
	want  func(*testing.T, tally)
}

var faults = []fault{
	{"a ResourceQuota lets no server start, and one server ends", exhaustQuota, 0, wantNone},
	{"the server's ClusterRole is gone for 5 s", removeClusterRole, pause, wantNone},
	{"the label of a grant's ClusterRole is overwritten for 5 s", takeGrant, pause, wantInjected},
	{"the labels of a server's pod are overwritten", relabelServer, 0, wantNone},
	{"the Secret of the certificate is emptied", emptySecret, 0, wantNone},
	{"the leader and the API server cannot reach each other for 20 s", func(t *testing.T) func() {
		_, pod := leader(t)
		return partition(t, pod)
	}, 20 * time.Second, wantInjected},
	{"the other server and the API server cannot reach each other for 20 s", func(t *testing.T) func() {
		_, pod := leader(t)
		both := servers(t, system)
		return partition(t, both[slices.IndexFunc(both, func(p corev1.Pod) bool { return p.Name != pod.Name })])
	}, 20 * time.Second, wantInjected},
	{"the kernel's OOM killer ends both servers", exhaustMemory, 0, wantInjected},
}

// TestFaults breaks an installation while pods are created all the time. No pod may be created without its sysctls.
// After the repair, pods must be created again without further help.
func TestFaults(t *testing.T) {
	installed(t)
	l := startLoad(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			defer keepLogs(t)
			var began, ended, whole time.Time
			counted := l.during(t, func() {
				began = time.Now()
				end := f.begin(t)
				time.Sleep(f.lasts)
				ended = began
				if end != nil {
					end()
					ended = time.Now()
				}
				rolledOut(t, system, former)
				gone(t)
				whole = time.Now()
			})
			report(f.name, counted)
			t.Logf("two servers are ready %s after the fault began and %s after its cause ended; the last pod was "+
				"rejected %s after it began",
				round(whole.Sub(began)), round(whole.Sub(ended)), round(max(0, counted.latest.Sub(began))))
			f.want(t, counted)
		})
	}
}

// exhaustQuota sets a quota that leaves no room for another pod in the servers' namespace, and ends one server.
func exhaustQuota(t *testing.T) func() {
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "exhausted", Namespace: system},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	}
	create(t, quota)
	eventually(t, "the quota to be in force", func(ctx context.Context) error {
		err := objects.Get(ctx, client.ObjectKeyFromObject(quota), quota)
		if err == nil && quota.Status.Hard == nil {
			err = errors.New("it has no status")
		}
		return err
	})
	victim := servers(t, system)[0]
	must(t, objects.Delete(t.Context(), &victim))
	eventually(t, "the ReplicaSet to be rejected another server", func(ctx context.Context) error {
		list, err := clientset.CoreV1().Events(system).
			List(ctx, metav1.ListOptions{FieldSelector: "reason=FailedCreate"})
		if err != nil {
			return err
		}
		for _, event := range list.Items {
			if strings.Contains(event.Message, "exceeded quota: exhausted") {
				return nil
			}
		}
		return fmt.Errorf("%d Events", len(list.Items))
	})
	return func() {
		must(t, objects.Delete(t.Context(), quota))
	}
}

// removeClusterRole takes all rights from the servers.
func removeClusterRole(t *testing.T) func() {
	role := &rbacv1.ClusterRole{}
	get(t, client.ObjectKey{Name: program}, role)
	must(t, objects.Delete(t.Context(), role))
	return func() { create(t, recreatable(role)) }
}

// recreatable returns a copy of an object that can be created again.
func recreatable[T client.Object](object T) T {
	object.SetResourceVersion("")
	object.SetUID("")
	return object
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	must(t, objects.Create(t.Context(), object))
}

// takeGrant overwrites the label by which the servers know their own objects. They do not change objects without it.
func takeGrant(t *testing.T) func() {
	label := func(value string) {
		kubectl(t, "label", "--overwrite", "clusterrole", "sysctl-injector:net.core.somaxconn",
			v1alpha1.ManagedByLabel+"="+value)
	}
	label("somebody")
	return func() { label(v1alpha1.ManagedBy) }
}

// relabelServer overwrites the label by which the Service and the ReplicaSet select a server.
func relabelServer(t *testing.T) func() {
	victim := servers(t, system)[0]
	kubectl(t, "label", "--overwrite", "pod", victim.Name, "-n", system, "app.kubernetes.io/name=other")
	eventually(t, "another server in its place", func(context.Context) error {
		if n := len(servers(t, system)); n != 2 {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
	kubectl(t, "delete", "pod", victim.Name, "-n", system, "--wait=false")
	return nil
}

func emptySecret(t *testing.T) func() {
	secret := &corev1.Secret{}
	get(t, client.ObjectKey{Namespace: system, Name: program + "-tls"}, secret)
	former := secret.DeepCopy()
	for key := range secret.Data {
		secret.Data[key] = nil
	}
	must(t, objects.Update(t.Context(), secret))
	renewed(t, former)
	return nil
}

// partition drops what the API server and one server send each other. The kubelet still reaches the server.
func partition(t *testing.T, server corev1.Pod) func() {
	ip := server.Status.PodIP
	rules := [][]string{
		{"OUTPUT", "-d", ip, "-p", "tcp", "--dport", webhookPort, "-j", "DROP"},
		{"INPUT", "-s", ip, "-p", "tcp", "!", "--sport", "8080", "-j", "DROP"},
	}
	iptables := func(action string) {
		for _, rule := range rules {
			args := append([]string{action, rule[0]}, rule[1:]...)
			if output, err := suite.Cluster(t).NodeCommand(t.Context(), "iptables", args...).
				CombinedOutput(); err != nil {
				t.Errorf("iptables %s: %v: %s", strings.Join(args, " "), err, output)
			}
		}
	}
	iptables("--insert")
	return func() { iptables("--delete") }
}

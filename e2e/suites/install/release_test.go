package install_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// system is the namespace that documentation installs to.
const system = "sysctl-injector-system"

// chart is what helm installs, by its path from here.
const chart = root + "/deploy/helm/sysctl-injector"

// install installs the chart, or changes an installation to this version and these flags alone. It does not wait.
func install(t *testing.T, namespace, version string, flags ...string) {
	t.Helper()
	// The servers' pods must meet the strictest standard.
	makeNamespace(t, namespace, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	// Objects that another installation has left are taken over.
	args := []string{"upgrade", "--install", program, chart, "--namespace=" + namespace, "--take-ownership",
		"--set=image.tag=" + version}
	helm(t, append(args, flags...)...)
}

// rolledOut waits until every server has the version given and is ready, and all others are terminating.
func rolledOut(t *testing.T, namespace, version string) {
	t.Helper()
	if output, err := command(t, "kubectl", "rollout", "status", "deployment/"+program, "-n", namespace,
		"--timeout="+patience.String()); err != nil {
		t.Fatalf("wait for the rollout: %v: %s\n%s", err, output, why(t, namespace))
	}
	for _, pod := range servers(t, namespace) {
		if got := pod.Spec.Containers[0].Image; got != repository+":"+version {
			t.Errorf("server %s has image %s, want version %s", pod.Name, got, version)
		}
	}
}

// why returns the reasons for which the servers are not ready.
func why(t *testing.T, namespace string) string {
	t.Helper()
	pods, _ := command(t, "kubectl", "describe", "pods", "-n", namespace)
	logs, _ := command(t, "kubectl", "logs", "-n", namespace, "-l", "app.kubernetes.io/name="+program, "--tail=20",
		"--prefix")
	certificates, _ := command(t, "kubectl", "describe", "certificates,certificaterequests,issuers", "-n", namespace)
	return strings.Join([]string{pods, logs, certificates, certManager.output()}, "\n")
}

// servers are the pods that are not ending.
func servers(t *testing.T, namespace string) []corev1.Pod {
	t.Helper()
	list, err := clientset.CoreV1().Pods(namespace).List(t.Context(),
		metav1.ListOptions{LabelSelector: labels.Set{"app.kubernetes.io/name": program}.String()})
	must(t, err)
	var alive []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			alive = append(alive, pod)
		}
	}
	return alive
}

// serving waits until both servers answer, and pods get what they ask for.
func serving(t *testing.T, namespace, version string) {
	t.Helper()
	rolledOut(t, namespace, version)
	if n := len(servers(t, namespace)); n != 2 {
		t.Errorf("there are %d servers, want 2", n)
	}
	makeNamespace(t, "load", enrolled())
	eventually(t, "a pod to be injected", func(ctx context.Context) error {
		// Not a dry run: nothing is granted for that.
		pod, err := clientset.CoreV1().Pods("load").Create(ctx, loadPod(), metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if len(pod.Spec.InitContainers) != 1 {
			err = fmt.Errorf("it has %d init containers", len(pod.Spec.InitContainers))
		}
		return errors.Join(err, objects.Delete(ctx, pod, client.GracePeriodSeconds(0)))
	})
}

// uninstall removes the release and waits until its servers are gone.
func uninstall(t *testing.T, namespace string) {
	t.Helper()
	// Namespaces stay enrolled from one test to the next.
	helm(t, "uninstall", program, "--namespace="+namespace, "--no-hooks", "--wait")
}

// installedIn returns the namespace of the installation, or "" if there is none.
func installedIn(t *testing.T) string {
	t.Helper()
	suite.Cluster(t)
	var deployments appsv1.DeploymentList
	must(t, objects.List(t.Context(), &deployments, client.MatchingLabels{"app.kubernetes.io/name": program}))
	if len(deployments.Items) == 0 {
		return ""
	}
	return deployments.Items[0].Namespace
}

// uninstalled makes sure that there is no installation.
func uninstalled(t *testing.T) {
	t.Helper()
	if namespace := installedIn(t); namespace != "" {
		uninstall(t, namespace)
	}
}

// wantValue runs a pod and checks its sysctl in the app's container.
func wantValue(t *testing.T, name string) {
	t.Helper()
	namespace := makeNamespace(t, "apps", enrolled())
	_, err := clustertest.CreatePod(t.Context(), clientset.CoreV1().Pods(namespace), newPod(name, somaxconn))
	must(t, err)
	kubectl(t, "wait", "--for=condition=Ready", "pod/"+name, "-n", namespace, "--timeout="+patience.String())
	if got := kubectl(t, "exec", "-n", namespace, name, "-c", "app", "--", "sysctl",
		"net.core.somaxconn"); got != somaxconn {
		t.Errorf("the app reads %q, want %q", got, somaxconn)
	}
}

func get(t *testing.T, key client.ObjectKey, into client.Object) {
	t.Helper()
	must(t, objects.Get(t.Context(), key, into))
}

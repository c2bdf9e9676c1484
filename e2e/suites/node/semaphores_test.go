package node_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
)

const semaphores = "10000 1024000000 500 32000"

// native sets a sysctl in the pod's securityContext.
func native(name, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.SecurityContext.Sysctls = append(pod.Spec.SecurityContext.Sysctls,
			corev1.Sysctl{Name: name, Value: value})
	}
}

func TestSemaphoresOfTheSample(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled())
	keepsHost(t, "kernel.sem")
	var pod corev1.Pod
	decodeSample(t, "semaphores-pod.yaml", "Pod", &pod)
	container := &pod.Spec.Containers[0]
	container.Image = images.App
	running := run(t, namespace, &pod)
	wantValues(t, running, container.Name, "kernel.sem = "+semaphores)
	wantUnprivileged(t, running, container.Name, ordinary(t))
	if host := hostValue(t, "kernel.sem"); host == semaphores {
		t.Errorf("the node's kernel.sem is %s too", host)
	}
	// Each new IPC namespace has the kernel's defaults.
	other := run(t, namespace, newPod("other", ""))
	if found := values(t, other, app, "kernel.sem")["kernel.sem"]; found == semaphores {
		t.Errorf("another pod reads kernel.sem = %s", found)
	}
}

// If the kubelet does not allow an unsafe sysctl, it rejects every pod, and the ReplicaSet creates the next one,
// because the scheduler does not know about the kubelet's setting.
func TestUnsafeNativeSysctlFailsEveryPod(t *testing.T) {
	t.Parallel()
	const storm = 10
	namespace := makeNamespace(t, nil)
	keepsHost(t, "kernel.sem")
	began := time.Now()
	deploy(t, namespace, newPod("native", "", native("kernel.sem", "10000  1024000000   500  32000")))
	var failed []corev1.Pod
	eventually(t, "the ReplicaSet to fill the namespace with failed pods", func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Failed"})
		if err != nil {
			return false, err
		}
		failed = pods.Items
		return len(failed) >= storm, nil
	})
	t.Logf("%d pods failed in the %.1f s after the Deployment was made", len(failed), time.Since(began).Seconds())
	for _, pod := range failed {
		if pod.Status.Reason != "SysctlForbidden" {
			t.Errorf("pod %s failed with %s: %s, want SysctlForbidden", pod.Name, pod.Status.Reason, pod.Status.Message)
		}
	}
}

func TestSysctlByAnnotationFailsNoPod(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled())
	keepsHost(t, "kernel.sem")
	deployment := deploy(t, namespace, newPod("annotated", "kernel.sem = 10000  1024000000   500  32000"))
	awaitDeployment(t, deployment)
	// All pods that the Deployment has ever created: none is deleted here.
	pods, err := client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	if want := int(*deployment.Spec.Replicas); len(pods.Items) != want {
		t.Errorf("the Deployment made %d pods, want %d", len(pods.Items), want)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if !clustertest.PodReady(pod) || pod.Status.ContainerStatuses[0].RestartCount > 0 ||
			pod.Status.InitContainerStatuses[0].RestartCount > 0 {
			t.Errorf("pod %s did not start at once: %+v", pod.Name, pod.Status)
		}
		wantValues(t, pod, app, "kernel.sem = "+semaphores)
	}
}

// On the one node whose kubelet has the flag, the pod of the Kata Containers guide starts, and so does a pod with a
// name that the flag's pattern matches.
func TestAllowedUnsafeSysctlStarts(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, nil)
	keepsHost(t, "kernel.msgmax", "kernel.shm_rmid_forced")
	pod := run(t, namespace, newPod("native", "",
		native("kernel.shm_rmid_forced", "0"), native("net.ipv4.route.min_pmtu", "1024"), native("kernel.msgmax",
			"16384")))
	wantValues(t, pod, app, "kernel.shm_rmid_forced = 0", "net.ipv4.route.min_pmtu = 1024", "kernel.msgmax = 16384")
}

// deploy makes a Deployment of two pods like the one given, and removes it when the test ends.
func deploy(t *testing.T, namespace string, pod *corev1.Pod) *appsv1.Deployment {
	t.Helper()
	labels := map[string]string{"app": pod.Name}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: pod.Annotations},
		Spec: pod.Spec}
	template.Spec.TerminationGracePeriodSeconds = ptr.To(int64(0))
	deployment, err := client.AppsV1().Deployments(namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name},
		Spec: appsv1.DeploymentSpec{Replicas: ptr.To(int32(2)),
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		_ = client.AppsV1().Deployments(namespace).Delete(context.Background(), pod.Name, metav1.DeleteOptions{})
	})
	return deployment
}

func awaitDeployment(t *testing.T, deployment *appsv1.Deployment) {
	t.Helper()
	eventually(t, "Deployment "+deployment.Name, func(ctx context.Context) (bool, error) {
		found, err := client.AppsV1().Deployments(deployment.Namespace).Get(ctx, deployment.Name, metav1.GetOptions{})
		return err == nil && found.Status.AvailableReplicas == *found.Spec.Replicas, err
	})
}

// decodeSample reads the one object of a kind from a manifest that the project publishes.
func decodeSample(t *testing.T, file, kind string, object any) {
	t.Helper()
	content, err := os.ReadFile("../../../deploy/samples/" + file)
	must(t, err)
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		if !strings.Contains("\n"+document, "\nkind: "+kind+"\n") {
			continue
		}
		if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		return
	}
	t.Fatalf("%s has no %s", file, kind)
}

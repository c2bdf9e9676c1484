package cluster_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
)

// The API server reaches the pods of a second node, and they reach those of the first. A killed node no longer answers,
// and nothing is left of it.
func TestSecondNode(t *testing.T) {
	c := clustertest.Start(t, cluster.Config{Node: true})
	must(t, runPod(t.Context(), c))
	second, err := c.StartNode(t.Context())
	must(t, err)
	client, err := kubernetes.NewForConfig(c.RESTConfig())
	must(t, err)
	kubectl := func(args ...string) string {
		t.Helper()
		output, err := c.Command(t.Context(), "kubectl", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("kubectl %s: %v: %s", strings.Join(args, " "), err, output)
		}
		return string(output)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "elsewhere"},
		Spec: corev1.PodSpec{NodeName: second.Name(), Containers: []corev1.Container{{Name: "app", Image: images.App,
			ReadinessProbe: &corev1.Probe{
				ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{
					Host: kubectl("get", "pod", "running", "-o",
						"jsonpath={.status.podIP}"), Port: intstr.Parse(images.AppPort),
				}},
				PeriodSeconds: 1,
			}}}},
	}
	_, err = client.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
	must(t, err)
	kubectl("wait", "--for=condition=Ready", "pod/elsewhere", "--timeout=30s")
	page := "/api/v1/namespaces/default/pods/elsewhere:" + images.AppPort + "/proxy/healthz"
	// The probe asks the first node's pod. This pod is Ready while its shell may not have started the program yet.
	eventually(t, "the API server to reach the pod", func(ctx context.Context) (bool, error) {
		return c.Command(ctx, "kubectl", "get", "--raw", page).Run() == nil, nil
	})

	namespace, err := second.Command(t.Context(), "readlink", "/proc/self/ns/pid").Output()
	must(t, err)
	must(t, second.Kill())
	if output, err := c.Command(t.Context(), "kubectl", "get", "--raw", page,
		"--request-timeout=2s").CombinedOutput(); err == nil {
		t.Errorf("a killed node answers: %s", output)
	}
	if err := runPod(t.Context(), c); err != nil {
		t.Errorf("the first node: %v", err)
	}
	must(t, c.Stop())
	if found := nodeRemains(t, filepath.Base(c.Dir())+"n2", strings.TrimSpace(string(namespace))); len(found) > 0 {
		t.Errorf("after Stop there is still\n%s", strings.Join(found, "\n"))
	}
}

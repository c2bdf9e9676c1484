package node_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// With a CPU limit of 1m, the privileged injected container runs long enough for exec. The test stops its process, so
// that the result does not depend on timing. Without the guard, exec is possible. The guard rejects it.
func TestLiveInjectedContainer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		labels map[string]string
		somax  string // identifies its process
		try    func(*testing.T, *corev1.Pod)
	}{
		"is open without the guard": {guardedAt("privileged"), "3001", func(t *testing.T, pod *corev1.Pod) {
			found, err := inside(t, pod, v1alpha1.ContainerName, "grep", "CapEff", "/proc/1/status")
			if err != nil || !strings.HasPrefix(found, "CapEff:") || strings.HasSuffix(found, "\t0000000000000000") {
				t.Errorf("exec into the running container: %v: %s, want to be inside a privileged one", err, found)
			}
		}},
		"is closed by the guard": {guardedAt("restricted"), "3002", func(t *testing.T, pod *corev1.Pod) {
			wantRejected(t, pod.Namespace, pod.Name)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, test.labels)
			keepsHost(t, "net.core.somaxconn")
			pod, held := holdInit(t, namespace, test.somax)
			defer held.release(t)
			eventually(t, "the container's process to stand still", func(context.Context) (bool,
				error) {
				return held.runs(), nil
			})
			test.try(t, pod)
			if !held.runs() {
				t.Error("the container ended meanwhile: nothing was shown of a live one")
			}
			held.release(t)
			pod = awaitPod(t, pod, "to be ready", clustertest.PodReady)
			wantValues(t, pod, app, "net.core.somaxconn = "+test.somax)
		})
	}
}

// holdInit creates slow pods until the injected container of one of them is stopped as it begins to run. Usually the
// first one is: the test misses it only if the test itself does not run during the container's start.
func holdInit(t *testing.T, namespace, somax string) (*corev1.Pod, *held) {
	t.Helper()
	for attempt := range 5 {
		pod := slowPod(t, namespace, fmt.Sprintf("slow-%d", attempt), "net.core.somaxconn = "+somax)
		looks := 0
		over := func() bool {
			if looks++; looks%100 > 0 {
				return false // a call to the API server takes longer
			}
			found, err := client.CoreV1().Pods(namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
			return err != nil || clustertest.PodReady(found)
		}
		if held := holdAtExec(t, string(pod.UID), over, "sysctl", "-w", "net.core.somaxconn="+somax); held != nil {
			t.Logf("caught the container of pod %s", pod.Name)
			return pod, held
		}
	}
	t.Fatal("no injected container was caught as it began to run")
	return nil, nil
}

// slowPod creates a pod that `inject` has injected with --init-cpu=1m, a flag that the server has too. `companion`
// prints its grants.
func slowPod(t *testing.T, namespace, name, sysctls string) *corev1.Pod {
	t.Helper()
	limits := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"),
		corev1.ResourceMemory: resource.MustParse("32Mi")}
	pod := newPod(name, sysctls, func(pod *corev1.Pod) {
		pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
		pod.Namespace = namespace
		pod.Spec.Containers[0].Resources.Limits = limits // otherwise the injected container has none
	})
	content, err := yaml.Marshal(pod)
	must(t, err)
	file := filepath.Join(t.TempDir(), "pod.yaml")
	must(t, os.WriteFile(file, content, 0o600))
	for _, args := range [][]string{{"companion", "-f", file}, {"inject", "-f", file, "--init-cpu=1m"}} {
		output, err := suite.Cluster(t).Command(t.Context(), installed.Program, args...).Output()
		if err != nil {
			t.Fatalf("sysctl-injector %q: %v", args, err)
		}
		awaitAnswer(t, "kubectl apply of what `sysctl-injector "+args[0]+"` prints",
			func(ctx context.Context) (string, bool) {
				apply := suite.Cluster(t).Command(ctx, "kubectl", "apply", "--server-side",
					"--force-conflicts", "-f", "-")
				apply.Stdin = bytes.NewReader(output)
				answer, err := apply.CombinedOutput()
				return string(answer), err == nil // the guard sees a grant a moment later
			})
	}
	created, err := client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	if init := created.Spec.InitContainers[0]; init.Name != v1alpha1.ContainerName ||
		init.Resources.Limits.Cpu().MilliValue() != 1 {
		t.Fatalf("the first init container is %+v, want the injected one with a CPU limit of 1m", init)
	}
	return created
}

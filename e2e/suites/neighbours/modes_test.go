package neighbours_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// kubectl runs a command in a namespace, with an input, and returns its exit code and its whole output.
func kubectl(t *testing.T, namespace, input string, args ...string) (code int, output string) {
	t.Helper()
	cmd := suite.Cluster(t).Command(t.Context(), "kubectl", append([]string{"--namespace=" + namespace}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), all.String()
	}
	must(t, err)
	return 0, all.String()
}

// mustKubectl runs a command that has to succeed.
func mustKubectl(t *testing.T, namespace, input string, args ...string) string {
	t.Helper()
	code, output := kubectl(t, namespace, input, args...)
	if code != 0 {
		t.Fatalf("kubectl %s exits with %d: %s", strings.Join(args, " "), code, output)
	}
	return output
}

func manifest(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	text, err := yaml.Marshal(pod)
	must(t, err)
	return string(text)
}

// awaitInjected waits until the wanted number of pods match a selector, and all of them are injected.
func awaitInjected(t *testing.T, namespace, selector string, wanted int) []corev1.Pod {
	t.Helper()
	var found *corev1.PodList
	eventually(t, "pods of "+selector, func(ctx context.Context) (_ bool, err error) {
		found, err = client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		return err == nil && len(found.Items) == wanted, err
	})
	for i := range found.Items {
		wantInjected(t, &found.Items[i])
	}
	return found.Items
}

// wantInjected checks that a pod begins with our container. The guard admits it in one form only.
func wantInjected(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	if len(pod.Spec.InitContainers) == 0 || pod.Spec.InitContainers[0].Name != v1alpha1.ContainerName {
		t.Errorf("pod %s has the init containers %+v", pod.Name, pod.Spec.InitContainers)
	}
}

func get(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	pod, err := client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	return pod
}

// The first pod that asks for a sysctl passes a dry run and a diff, which grant nothing, and can then be applied on
// either side.
func TestFirstPod(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, nil)
	pod := newPod("web")
	pod.Annotations[v1alpha1.SysctlsAnnotation] = "net.ipv4.tcp_fin_timeout = 30"
	source := manifest(t, pod)
	for _, args := range [][]string{{"apply", "--dry-run=server"}, {"apply", "--server-side", "--dry-run=server"},
		{"create", "--dry-run=server"}} {
		if printed := mustKubectl(t, namespace, source, append(args, "-o", "yaml", "-f",
			"-")...); !strings.Contains(printed,
			"net.ipv4.tcp_fin_timeout=30") {
			t.Errorf("kubectl %s prints a pod without the container:\n%s", strings.Join(args, " "), printed)
		}
	}
	if code, output := kubectl(t, namespace, source, "diff", "-f", "-"); code != 1 ||
		!strings.Contains(output, "net.ipv4.tcp_fin_timeout=30") {
		t.Errorf("kubectl diff of a new pod exits with %d and prints:\n%s", code, output)
	}
	bindings, err := client.RbacV1().RoleBindings(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(bindings.Items) > 0 {
		t.Errorf("after dry runs there are the role bindings %v (%v)", bindings.Items, err)
	}
	for _, how := range []string{"--server-side=true", "--server-side=false"} {
		t.Run(how, func(t *testing.T) {
			// The same pod again, under another name: on a busy machine, its grant may take longer than one call.
			name := "web" + strings.TrimPrefix(how, "--server-side=")
			source := strings.Replace(source, "name: web\n", "name: "+name+"\n", 2)
			_, err := clustertest.UntilGranted(t.Context(), func(context.Context) error {
				if code, output := kubectl(t, namespace, source, "apply", how, "-f", "-"); code != 0 {
					return errors.New(output)
				}
				return nil
			})
			must(t, err)
			wantInjected(t, get(t, namespace, name))
			if code, output := kubectl(t, namespace, source, "diff", how, "-f", "-"); code != 0 {
				t.Errorf("kubectl diff of the pod as it is exits with %d and prints:\n%s", code, output)
			}
		})
	}
}

// The pods of every controller are injected, also when they are created again after an eviction, and by `kubectl
// create job --from`.
func TestControllers(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, nil)
	mustKubectl(t, namespace, "", "apply", "-f", "testdata/workloads.yaml")
	mustKubectl(t, namespace, "", "create", "job", "by-hand", "--from=cronjob/cronjob")
	for _, name := range []string{"deployment", "statefulset", "job", "cronjob"} {
		first := awaitInjected(t, namespace, "app="+name, 1)[0]
		if name != "deployment" && name != "statefulset" {
			continue
		}
		err := client.CoreV1().Pods(namespace).EvictV1(t.Context(),
			&policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: first.Name}})
		must(t, err)
		eventually(t, "another pod of "+name, func(ctx context.Context) (bool, error) {
			list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
			return err == nil && len(list.Items) == 1 && list.Items[0].UID != first.UID, err
		})
		awaitInjected(t, namespace, "app="+name, 1)
	}
}

// A live pod can be debugged, copied, resized and labelled. None of this changes the injected container.
func TestLivePod(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, nil)
	pod := newPod("")
	pod.GenerateName = "web-"
	created, err := create(t, namespace, pod)
	must(t, err)
	name, injected := created.Name, created.Spec.InitContainers[0]
	mustKubectl(t, namespace, "", "run", "shell", "--image=docker.io/library/busybox:1.36",
		"--annotations="+v1alpha1.SysctlsAnnotation+"=net.core.somaxconn=1024")
	wantInjected(t, get(t, namespace, "shell"))
	mustKubectl(t, namespace, "", "debug", name, "--image=docker.io/library/busybox:1.36", "--profile=baseline", "--",
		"sleep", "60")
	mustKubectl(t, namespace, "", "label", "pod", name, "tier=front")
	mustKubectl(t, namespace, "", "debug", name, "--image=docker.io/library/busybox:1.36", "--profile=baseline",
		"--copy-to=copy",
		"--keep-annotations", "--", "sleep", "60")
	wantInjected(t, get(t, namespace, "copy"))
	mustKubectl(t, namespace, "", "debug", name, "--image=docker.io/library/busybox:1.36", "--profile=baseline",
		"--copy-to=fresh",
		"--keep-annotations", "--keep-init-containers=false", "--", "sleep", "60")
	wantInjected(t, get(t, namespace, "fresh"))
	live := get(t, namespace, name)
	if len(live.Spec.EphemeralContainers) != 1 || live.Labels["tier"] != "front" {
		t.Errorf("labels %v, ephemeral containers %v", live.Labels, live.Spec.EphemeralContainers)
	}
	if version.MustParseGeneric(suite.Cluster(t).Version()).AtLeast(version.MajorMinor(1, 33)) {
		mustKubectl(t, namespace, "", "patch", "pod", name, "--subresource=resize", "--patch",
			`{"spec":{"containers":[{"name":"web","resources":{"requests":{"cpu":"30m"}}}]}}`)
		if live = get(t, namespace, name); live.Spec.Containers[0].Resources.Requests.Cpu().String() != "30m" {
			t.Errorf("the pod was not resized: %v", live.Spec.Containers[0].Resources)
		}
	}
	if got := live.Spec.InitContainers[0]; got.Image != injected.Image ||
		got.Resources.Requests.Cpu().String() != "20m" {
		t.Errorf("the injected container is now %+v", got)
	}
}

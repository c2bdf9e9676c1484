package node_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/await"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
	"github.com/sysctl-injector/sysctl-injector/webhook/admission"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/grants"
)

// app is the name of the container that a test looks into.
const app = "app"

// newPod returns a pod that meets the strictest standard, and that asks for the sysctls given, or for nothing.
func newPod(name, sysctls string, tweaks ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To(int64(0)),
			Containers:                    []corev1.Container{{Name: app, Image: images.App}},
		},
	}
	if sysctls != "" {
		pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: sysctls}
	}
	restrict(&pod.Spec)
	for _, tweak := range tweaks {
		tweak(pod)
	}
	return pod
}

// restrict gives a pod of one container what the strictest Pod Security Standard demands.
func restrict(spec *corev1.PodSpec) {
	if spec.SecurityContext == nil {
		spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	spec.SecurityContext.RunAsNonRoot, spec.SecurityContext.RunAsUser = ptr.To(true), ptr.To(int64(1000))
	spec.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	spec.Containers[0].SecurityContext = restrictedContainer()
}

func restrictedContainer() *corev1.SecurityContext {
	return &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
}

// plain removes a pod's security settings: its app is root in its container.
func plain(pod *corev1.Pod) {
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{}
}

// create creates a pod that must be admitted. As a controller does, it tries again if the pod's grants are not in force
// in time, or if too many grants are new.
func create(t *testing.T, namespace string, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	var created *corev1.Pod
	awaitAnswer(t, "pod "+pod.Name+" to be granted what it asks for", func(ctx context.Context) (string, bool) {
		var err error
		if created, err = client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{}); err == nil {
			return "", true
		}
		if !strings.Contains(err.Error(), admission.ReasonGrantFailed) &&
			!strings.Contains(err.Error(), grants.ReasonTooManyGrants) {
			t.Fatal(err)
		}
		t.Logf("pod %s is rejected at first: %v", pod.Name, err)
		return err.Error(), false
	})
	return created
}

// starting limits how many pods start at the same time. One kubelet starts all pods. If tests created them all at once,
// the wait for a pod, which patience limits, would include the starts of the pods before it.
var starting = make(chan struct{}, 4)

// takeTurn waits until another pod may start. The returned function ends the turn.
func takeTurn() (end func()) {
	starting <- struct{}{}
	return func() { <-starting }
}

// start makes a pod when it is its turn, and waits until the pod has started or ended, as the condition says.
func start(t *testing.T, namespace string, pod *corev1.Pod, what string,
	condition func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	defer takeTurn()()
	return awaitPod(t, create(t, namespace, pod), what, condition)
}

// run makes a pod and waits until its containers run.
func run(t *testing.T, namespace string, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	return start(t, namespace, pod, "to be ready", clustertest.PodReady)
}

// awaitPod waits until a pod is as wanted. If it never is, the error has the pod's status.
func awaitPod(t *testing.T, pod *corev1.Pod, what string, condition func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	err := await.Condition(t.Context(), "pod "+pod.Name+" "+what, pace, patience,
		func(ctx context.Context) (_ bool, err error) {
			if found, err = client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{}); err != nil {
				return false, err
			}
			return condition(found), nil
		})
	if err != nil {
		described, _ := command(t, "kubectl", "describe", "pod", "-n", pod.Namespace, pod.Name)
		t.Fatalf("%v\n%s", err, described)
	}
	return found
}

// inside runs a program in a container by `kubectl exec`.
func inside(t *testing.T, pod *corev1.Pod, container string, args ...string) (string, error) {
	t.Helper()
	return command(t, "kubectl",
		append([]string{"exec", "-n", pod.Namespace, pod.Name, "-c", container, "--"}, args...)...)
}

// values reads sysctls inside a container.
func values(t *testing.T, pod *corev1.Pod, container string, names ...string) map[string]string {
	t.Helper()
	output, err := inside(t, pod, container, append([]string{"sysctl"}, names...)...)
	if err != nil {
		t.Fatalf("read sysctls in pod %s: %v: %s", pod.Name, err, output)
	}
	found := map[string]string{}
	for line := range strings.Lines(output) {
		name, value, _ := strings.Cut(line, "=")
		found[strings.TrimSpace(name)] = normal(value)
	}
	return found
}

// normal replaces the tabs of /proc/sys by spaces.
func normal(value string) string { return strings.Join(strings.Fields(value), " ") }

// wantValues checks what the app reads. Each assignment is "name = value".
func wantValues(t *testing.T, pod *corev1.Pod, container string, assignments ...string) {
	t.Helper()
	wanted := map[string]string{}
	var names []string
	for _, assignment := range assignments {
		name, value, _ := strings.Cut(assignment, " = ")
		wanted[name] = value
		names = append(names, name)
	}
	found := values(t, pod, container, names...)
	for _, name := range names {
		if found[name] != wanted[name] {
			t.Errorf("container %s of pod %s reads %s = %q, want %q", container, pod.Name, name,
				found[name], wanted[name])
		}
	}
}

// privilege is a process's capabilities, and whether it may gain more.
type privilege struct{ capEff, noNewPrivs string }

func (p privilege) String() string {
	return fmt.Sprintf("CapEff %s, NoNewPrivs %s", p.capEff, p.noNewPrivs)
}

func privilegeOf(t *testing.T, pod *corev1.Pod, container string) privilege {
	t.Helper()
	output, err := inside(t, pod, container, "grep", "-E", "^(CapEff|NoNewPrivs):", "/proc/self/status")
	if err != nil {
		t.Fatalf("read the status of a process in pod %s: %v: %s", pod.Name, err, output)
	}
	var found privilege
	for line := range strings.Lines(output) {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); name {
		case "CapEff":
			found.capEff = value
		case "NoNewPrivs":
			found.noNewPrivs = value
		}
	}
	if found.capEff == "" || found.noNewPrivs == "" {
		t.Fatalf("the status of a process in pod %s tells nothing of its privilege: %s", pod.Name, output)
	}
	return found
}

// wantUnprivileged checks that a container has the same privilege as in a pod without sysctls, and cannot write
// /proc/sys.
func wantUnprivileged(t *testing.T, pod *corev1.Pod, container string, ordinary privilege) {
	t.Helper()
	if found := privilegeOf(t, pod, container); found != ordinary {
		t.Errorf("container %s of pod %s has %s, and an ordinary one %s", container, pod.Name, found, ordinary)
	}
	wantReadOnly(t, pod, container, "net.ipv4.tcp_keepalive_intvl=70")
}

// wantReadOnly checks that a container cannot set a sysctl.
func wantReadOnly(t *testing.T, pod *corev1.Pod, container, assignment string) {
	t.Helper()
	const rejection = "Read-only file system"
	if output, err := inside(t, pod, container, "sysctl", "-w", assignment); err == nil ||
		!strings.Contains(output, rejection) {
		t.Errorf("sysctl -w %s in pod %s: %v: %s, want %q", assignment, pod.Name, err, output, rejection)
	}
}

// ordinary is the privilege of the app of a pod that asks for nothing, in a namespace that is not enrolled.
func ordinary(t *testing.T, tweaks ...func(*corev1.Pod)) privilege {
	t.Helper()
	pod := run(t, makeNamespace(t, nil), newPod("ordinary", "", tweaks...))
	if len(pod.Spec.InitContainers) > 0 {
		t.Fatalf("a pod in a namespace that is not enrolled has init containers: %v", pod.Spec.InitContainers)
	}
	return privilegeOf(t, pod, app)
}

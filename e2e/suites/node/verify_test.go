package node_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func verifyOnly(pod *corev1.Pod) { pod.Annotations[v1alpha1.ModeAnnotation] = "verify" }

// restrictedByPodSecurity returns the labels of a namespace that Pod Security itself holds to restricted, without
// enrolment.
func restrictedByPodSecurity() map[string]string {
	return map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled,
		api.EnforceLevelLabel: string(api.LevelRestricted)}
}

// A pod whose values hold starts, also with node-level names and with the pod's own sysctls, where Pod Security is at
// its strictest.
func TestVerifiedPodStarts(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, restrictedByPodSecurity())
	mapCount := hostValue(t, "vm.max_map_count")
	pod := run(t, namespace, newPod("verified", "vm.max_map_count >= 1\nnet.core.somaxconn >= 1024", verifyOnly))
	container := pod.Spec.InitContainers[0]
	if container.SecurityContext.Privileged != nil || *container.SecurityContext.RunAsUser == 0 {
		t.Errorf("the container has the security context %+v", container.SecurityContext)
	}
	bindings, err := client.RbacV1().RoleBindings(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(bindings.Items) > 0 {
		t.Errorf("%d RoleBindings, %v; want none", len(bindings.Items), err)
	}
	wantUnprivileged(t, pod, app, ordinary(t))
	exact := run(t, namespace, newPod("exact", "vm.max_map_count = "+mapCount, verifyOnly))
	wantValues(t, exact, app, "vm.max_map_count = "+mapCount)
}

// A pod whose values do not hold waits in Init, reports each value found and wanted, and starts when its node has the
// values. The test changes a value of the node's network namespace, which the pod shares and on which nothing else
// depends.
func TestVerifiedPodWaitsForItsNode(t *testing.T) {
	t.Parallel()
	const name = "net.ipv4.neigh.lo.ucast_solicit"
	namespace := makeNamespace(t, guardedAt("privileged"))
	before := hostValue(t, name)
	number, err := strconv.Atoi(before)
	must(t, err)
	wanted := strconv.Itoa(number + 7)
	pod := start(t, namespace, newPod("waiting", name+" >= "+wanted+"\nvm.max_map_count = 1", verifyOnly,
		func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }), "to have verified once", tried)
	wantNeverStarted(t, pod)
	described, err := command(t, "kubectl", "describe", "pod", "-n", namespace, pod.Name)
	for _, want := range []string{
		name + `: found "` + before + `", wanted at least "` + wanted + `"`,
		`vm.max_map_count: found "` + hostValue(t, "vm.max_map_count") + `", wanted "1"`,
	} {
		if err != nil || !strings.Contains(described, want) {
			t.Errorf("kubectl describe, %v: want %q in\n%s", err, want, described)
		}
	}
	starts := start(t, namespace, newPod("starts", name+" >= "+wanted, verifyOnly,
		func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }), "to have verified once", tried)
	setOnNode(t, name, wanted)
	t.Cleanup(func() { setOnNode(t, name, before) })
	awaitPod(t, starts, "to start by itself", clustertest.PodReady)
}

// tried reports whether the injected container has ended once, with a message.
func tried(pod *corev1.Pod) bool {
	return len(pod.Status.InitContainerStatuses) > 0 && lastMessage(pod) != ""
}

// lastMessage is the termination message of the injected container, whether it waits to run again or not.
func lastMessage(pod *corev1.Pod) string {
	status := pod.Status.InitContainerStatuses[0]
	for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
		if state.Terminated != nil {
			return state.Terminated.Message
		}
	}
	return ""
}

// setOnNode sets a sysctl of the node's network namespace.
func setOnNode(t *testing.T, name, value string) {
	t.Helper()
	if output, err := suite.Cluster(t).Command(context.Background(), "sysctl", "-w",
		name+"="+value).CombinedOutput(); err != nil {
		t.Errorf("set %s on the node: %v: %s", name, err, output)
	}
}

// A floor raises lower numbers and keeps higher ones, each number by itself.
func TestFloors(t *testing.T) {
	t.Parallel()
	keepsHost(t, "net.core.somaxconn", "kernel.shmmax", "net.ipv4.tcp_rmem")
	reader := run(t, makeNamespace(t, nil), newPod("reader", ""))
	defaults := values(t, reader, app, "net.core.somaxconn", "net.ipv4.tcp_rmem", "kernel.shmmax")
	rmem := strings.Fields(defaults["net.ipv4.tcp_rmem"])
	for name, tweak := range map[string]func(*corev1.Pod){"privileged": func(*corev1.Pod) {},
		"in a user namespace": inUserNamespace} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, enrolled())
			pod := run(t, namespace, newPod("floors", strings.Join([]string{
				"net.core.somaxconn >= 32768",     // higher than the default
				"net.ipv4.tcp_rmem >= 1 262144 1", // one of three
				"kernel.shmmax >= 68719476736",    // far below the default, which is nearly 2^64
			}, "\n"), tweak))
			wantValues(t, pod, app, "net.core.somaxconn = 32768", "net.ipv4.tcp_rmem = "+rmem[0]+" 262144 "+rmem[2],
				"kernel.shmmax = "+defaults["kernel.shmmax"])
		})
	}
	t.Run("what cannot be raised keeps the pod from starting", func(t *testing.T) {
		t.Parallel()
		pod := start(t, makeNamespace(t, enrolled()),
			newPod("impossible", "net.ipv4.ping_group_range >= 1\nnet.core.somaxconn >= 5000"),
			"to have tried once", tried)
		wantNeverStarted(t, pod)
		if message := lastMessage(pod); !strings.Contains(message, "net.ipv4.ping_group_range: ") {
			t.Errorf("the termination message is %q, want the name in it", message)
		}
	})
}

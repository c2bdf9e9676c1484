package mutating_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// A rejection says which line is wrong and how to correct it.
func TestMessagesOfRejections(t *testing.T) {
	t.Parallel()
	s := makeSides(t, nil)
	for _, test := range []struct {
		name  string
		tweak func(*corev1.Pod)
		want  string
	}{
		{"a line without a value",
			func(pod *corev1.Pod) { pod.Annotations[v1alpha1.SysctlsAnnotation] = "# ports\nnet.core.somaxconn" },
			`line 2: write "name = value", or "name >= value" to raise a value only; a value is of A-Z a-z 0-9 _ ` +
				`space , : . / + -`},
		{"an empty annotation", func(pod *corev1.Pod) { pod.Annotations[v1alpha1.SysctlsAnnotation] = "\n" },
			`it asks for no sysctl: write at least one line such as "net.core.somaxconn = 1024", or remove it`},
		{"a key that is misspelt", func(pod *corev1.Pod) { pod.Annotations["sysctl-injector.dev/sysctl"] = "x" },
			"metadata.annotations[sysctl-injector.dev/sysctl]: no such key; the keys of a pod are " +
				"sysctl-injector.dev/sysctls, "},
		{"a name twice", func(pod *corev1.Pod) {
			pod.Annotations[v1alpha1.SysctlsAnnotation] = "net.core.somaxconn = 1\nnet/core/somaxconn = 2"
		}, "line 2: net.core.somaxconn is set twice: keep one of them"},
		{"a profile that is not there",
			func(pod *corev1.Pod) { pod.Annotations[v1alpha1.ProfilesAnnotation] = "nginx, ngix" },
			`"ngix" is not one of the profiles that the policies were rendered with: cassandra, `},
		{"a node-level name",
			func(pod *corev1.Pod) { pod.Annotations[v1alpha1.SysctlsAnnotation] = "vm.max_map_count = 262144" },
			`line 1: vm.max_map_count is not a sysctl that a pod can set on a kernel that other pods share; ` +
				`"sysctl-injector explain vm.max_map_count" says why`},
		{"a pod on the host network", func(pod *corev1.Pod) { pod.Spec.HostNetwork = true },
			"line 1: net.core.somaxconn would change the node: the pod shares the node's network namespace " +
				"(hostNetwork: true); remove hostNetwork, or the sysctl"},
		{"a strategy", func(pod *corev1.Pod) { pod.Annotations[v1alpha1.StrategyAnnotation] = "native-first" },
			"native-first needs the server: remove the annotation"},
		{"a container of the reserved name",
			func(pod *corev1.Pod) { pod.Spec.Containers[0].Name = v1alpha1.ContainerName },
			`the container name "sysctl-injector" is kept for the init container that is added`},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := newPod("net.core.somaxconn = 1024")
			test.tweak(pod)
			_, err := kube.CoreV1().Pods(s.policy).Create(t.Context(), pod, dryRun)
			if err == nil || !strings.Contains(err.Error(), "denied request: "+test.want) &&
				!strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

// A pod that requests nothing may have the status of an earlier injection, for another kernel.
func TestStatusOfAnEarlierInjection(t *testing.T) {
	t.Parallel()
	s := makeSides(t, nil)
	pod := newPod("net.core.somaxconn = 1024")
	pod.Spec.RuntimeClassName = new(guestClass)
	injected, err := kube.CoreV1().Pods(s.policy).Create(t.Context(), pod, dryRun)
	must(t, err)
	pod.Spec.RuntimeClassName = new(nodeClass)
	pod.Annotations[v1alpha1.StatusAnnotation] = injected.Annotations[v1alpha1.StatusAnnotation]
	pod.Annotations[v1alpha1.InjectAnnotation] = "false"
	if rejected, _ := s.compare(t, pod); rejected != "" {
		t.Errorf("rejected: %s", rejected)
	}
}

// The most expensive pod stays within the API server's limits on CEL.
func TestMostExpensivePod(t *testing.T) {
	t.Parallel()
	s := makeSides(t, map[string]string{"example.com/trust": "everything"})
	text := "net.ipv4.ip_local_reserved_ports = " + strings.TrimSuffix(strings.Repeat("10001,", 4095/6), ",") + "\n"
	for n := range sysctl.MaxContained - 1 {
		text += fmt.Sprintf("%s\t = \t%s\n", "net/ipv4/conf/eth0."+fmt.Sprint(100+n)+"/forwarding",
			strings.TrimSpace(strings.Repeat("1 ", 128)))
	}
	pod := newPod(text + strings.Repeat("#\n", 5000))
	pod.Annotations[v1alpha1.ProfilesAnnotation] = "cassandra,elasticsearch,envoy,haproxy,kafka,milvus,mongodb,nginx," +
		"opensearch,postgresql,rabbitmq,redis"
	for n := range 99 {
		container := corev1.Container{Name: fmt.Sprintf("init-%d", n), Image: "busybox"}
		container.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"),
			corev1.ResourceMemory: resource.MustParse("1Gi")}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, container)
	}
	_, err := kube.CoreV1().Pods(s.policy).Create(t.Context(), pod, dryRun)
	if err == nil || !strings.Contains(err.Error(), "the init container takes at most 16 sysctls") {
		t.Errorf("too many sysctls of profiles: %v", err)
	}
	delete(pod.Annotations, v1alpha1.ProfilesAnnotation)
	if rejected, _ := s.compare(t, pod); rejected != "" {
		t.Errorf("rejected: %s", rejected)
	}
}

package node_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// This node's kubelet allows the first of these; --kubelet-sysctls of this suite's server declares both.
const declared = "kernel.msg*,net.core.somaxconn"

func nativeFirst(pod *corev1.Pod) { pod.Annotations[v1alpha1.StrategyAnnotation] = "native-first" }

// Safe names need no container, and so no enrolment: Pod Security admits the pod at every standard.
func TestSafeSysctlsNatively(t *testing.T) {
	t.Parallel()
	assignments := []string{"net.ipv4.ip_local_port_range = 32768 65535", "net.ipv4.tcp_keepalive_time = 601",
		"net.ipv4.tcp_syncookies = 0"}
	keepsHost(t, "net.ipv4.ip_local_port_range", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_syncookies")
	for _, level := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled,
				api.EnforceLevelLabel: string(level)})
			pod := run(t, namespace, newPod("native", strings.Join(assignments, "\n"), nativeFirst))
			if len(pod.Spec.InitContainers) > 0 {
				t.Errorf("the pod has init containers: %v", pod.Spec.InitContainers)
			}
			wantValues(t, pod, app, assignments...)
			wantUnprivileged(t, pod, app, ordinary(t))
		})
	}
}

// Both strategies lead to the same values, in a namespace that the guard holds.
func TestBothStrategiesSetTheSame(t *testing.T) {
	t.Parallel()
	assignments := []string{"kernel.msgmax = 16384", "net.ipv4.tcp_fin_timeout = 30", "net.ipv4.tcp_tw_reuse = 1"}
	namespace := makeNamespace(t, enrolled())
	keepsHost(t, "kernel.msgmax", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_tw_reuse")
	byContainer := run(t, namespace, newPod("by-container", strings.Join(assignments, "\n")))
	native := run(t, namespace, newPod("native", strings.Join(assignments, "\n"), nativeFirst))
	wantValues(t, byContainer, app, assignments...)
	wantValues(t, native, app, assignments...)
	if sysctls := byContainer.Spec.SecurityContext.Sysctls; len(sysctls) > 0 {
		t.Errorf("with the default strategy the pod has %v", sysctls)
	}
	var names []string
	for _, s := range native.Spec.SecurityContext.Sysctls {
		names = append(names, s.Name)
	}
	if got, want := strings.Join(names, " "), "kernel.msgmax net.ipv4.tcp_fin_timeout"; got != want {
		t.Errorf("set natively: %s, want %s", got, want)
	}
	if args := native.Spec.InitContainers[0].Args; len(args) != 1 || args[0] != "net.ipv4.tcp_tw_reuse=1" {
		t.Errorf("left to the init container: %q", args)
	}
}

// If a kubelet does not allow a declared name, it ends the pod, and the docs say how to find the reason.
func TestKubeletThatDoesNotAllowADeclaredSysctl(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled())
	pod := start(t, namespace, newPod("forbidden", "net.core.somaxconn = 2048", nativeFirst),
		"to be rejected by the kubelet", func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodFailed })
	if pod.Status.Reason != "SysctlForbidden" {
		t.Errorf("the pod ends with %s: %s", pod.Status.Reason, pod.Status.Message)
	}
}

// Native sysctls obey the same rules as those of the init container.
func TestNativeSysctlsAreHeldToTheSameRules(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, guardedAt("privileged"))
	for reason, tweak := range map[string]func(*corev1.Pod){
		"HostNetwork": func(pod *corev1.Pod) { pod.Spec.HostNetwork = true },
		"NativeConflict": func(pod *corev1.Pod) {
			pod.Spec.SecurityContext.Sysctls = []corev1.Sysctl{{Name: "net.ipv4.tcp_fin_timeout", Value: "60"}}
		},
	} {
		_, err := client.CoreV1().Pods(namespace).Create(t.Context(),
			newPod("native", "net.ipv4.tcp_fin_timeout = 30", nativeFirst, tweak), metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v, want %s", err, reason)
		}
	}
}

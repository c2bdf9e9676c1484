package node_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// If this node's kernel rejects a sysctl that others accept (it has no IPVS, and bounds that others lack), the app
// never starts, and the termination message is busybox's output. For a key that does not exist, busybox prints its name
// and continues with the next one. At a rejected value it stops without printing the name: it is the first that is
// neither reported as set nor named in an error.
func TestAppDoesNotStartWithoutItsSysctls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ sysctls, want, culprit string }{
		"a name that does not exist": {
			"net.core.somaxconn = 1024\nnet.ipv4.vs.expire_nodest_conn = 1\nnet.ipv4.tcp_fin_timeout = 30",
			"net.core.somaxconn = 1024\nnet.ipv4.tcp_fin_timeout = 30\n" +
				"sysctl: error: 'net.ipv4.vs/expire_nodest_conn' is an unknown key\n",
			"net.ipv4.vs.expire_nodest_conn",
		},
		"a value that this kernel rejects": {
			"net.core.somaxconn = 1024\nnet.ipv4.tcp_syncookies = 300\nnet.ipv4.tcp_keepalive_time = 600",
			"net.core.somaxconn = 1024\nsysctl: write error: Invalid argument\n",
			"net.ipv4.tcp_syncookies",
		},
		"a value out of its range, the first": {
			"net.ipv4.tcp_ecn = 5\nnet.core.somaxconn = 1024",
			"sysctl: write error: Invalid argument\n",
			"net.ipv4.tcp_ecn",
		},
		"a value out of its range, the last of several": {
			"net.core.somaxconn = 1024\nnet.ipv4.ip_local_port_range = 32768 65535\n" +
				"net.ipv4.tcp_keepalive_time = 600\nnet.ipv4.tcp_syncookies = 300",
			"net.core.somaxconn = 1024\nnet.ipv4.ip_local_port_range = 32768 65535\n" +
				"net.ipv4.tcp_keepalive_time = 600\nsysctl: write error: Invalid argument\n",
			"net.ipv4.tcp_syncookies",
		},
		"a name that does not exist, and then a value": {
			"net.ipv4.vs.expire_nodest_conn = 1\nnet.core.somaxconn = 1024\nnet.ipv4.tcp_syncookies = 300",
			"net.core.somaxconn = 1024\nsysctl: error: 'net.ipv4.vs/expire_nodest_conn' is an unknown key\n" +
				"sysctl: write error: Invalid argument\n",
			"net.ipv4.vs.expire_nodest_conn net.ipv4.tcp_syncookies",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, enrolled())
			// A pod that is not restarted ends in the phase Failed.
			pod := start(t, namespace, newPod("unset", test.sysctls,
				func(pod *corev1.Pod) { pod.Spec.RestartPolicy = corev1.RestartPolicyNever }), "to fail",
				func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodFailed })
			wantNeverStarted(t, pod)
			status := pod.Status.InitContainerStatuses[0]
			if status.Name != v1alpha1.ContainerName || status.State.Terminated == nil ||
				status.State.Terminated.ExitCode != 1 {
				t.Fatalf("the first init container is %+v, want %s, ended with 1", status, v1alpha1.ContainerName)
			}
			if lines(status.State.Terminated.Message) != lines(test.want) {
				t.Errorf("the termination message is\n%s\nwant\n%s", status.State.Terminated.Message, test.want)
			}
			described, err := command(t, "kubectl", "describe", "pod", "-n", namespace, pod.Name)
			if err != nil {
				t.Fatalf("kubectl describe: %v: %s", err, described)
			}
			for line := range strings.Lines(test.want) {
				if !strings.Contains(described, strings.TrimSpace(line)) {
					t.Errorf("kubectl describe does not show %q:\n%s", strings.TrimSpace(line), described)
				}
			}
			if found := culprits(described); found != test.culprit {
				t.Errorf("by kubectl describe, as documented, %q is at fault, want %q:\n%s", found,
					test.culprit, described)
			}
		})
	}
}

// described matches the injected container in the output of `kubectl describe`: its arguments, one per line, and its
// message.
var described = regexp.MustCompile(`(?s)  ` + v1alpha1.ContainerName +
	`:\n.*?\n    Args:\n(.*?)\n    State:.*?\n      Message: (.*?)\n +Exit Code:`)

// culprits reads `kubectl describe` as docs/troubleshooting.md says. The names at fault are those in errors, and, if a
// value was rejected, the first that is neither in an error nor reported as set.
func culprits(text string) string {
	found := described.FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	// busybox writes a slash for the dot after a folder that the kernel does not have.
	args, message := found[1], strings.ReplaceAll(found[2], "/", ".")
	var wrong []string
	rejected := strings.Contains(message, "write error")
	for arg := range strings.Lines(args) {
		name, value, _ := strings.Cut(strings.TrimSpace(arg), "=")
		switch {
		case strings.Contains(message, "'"+name+"'"):
			wrong = append(wrong, name)
		case rejected && !strings.Contains(message, name+" = "+value):
			return strings.Join(append(wrong, name), " ") // nothing after it was tried
		}
	}
	return strings.Join(wrong, " ")
}

// lines sorts the lines of a message: busybox writes sysctls to one stream and errors to another, and the runtime
// merges them.
func lines(message string) string {
	said := strings.Split(strings.TrimSpace(message), "\n")
	slices.Sort(said)
	return strings.Join(said, "\n")
}

// A pod that is restarted tries again and again, and its app keeps waiting.
func TestAppWaitsWhileItsSysctlsFail(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled())
	pod := start(t, namespace, newPod("unset", "net.ipv4.vs.expire_nodest_conn = 1"), "to have tried once", tried)
	pod = awaitPod(t, pod, "to have tried twice", func(pod *corev1.Pod) bool {
		return len(pod.Status.InitContainerStatuses) > 0 && pod.Status.InitContainerStatuses[0].RestartCount > 0
	})
	wantNeverStarted(t, pod)
}

func wantNeverStarted(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	status := pod.Status.ContainerStatuses[0]
	if status.ContainerID != "" || status.State.Waiting == nil && status.State.Terminated == nil ||
		status.LastTerminationState.Terminated != nil {
		t.Errorf("the app has run, or runs: %+v", status)
	}
}

package admission_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Whatever other webhooks do, a pod that asks for a sysctl is admitted with exactly our container in front, or refused.
func TestBesideAnotherWebhook(t *testing.T) {
	t.Parallel()
	const sysctls = "/metadata/annotations/sysctl-injector.dev~1sysctls"
	tests := []struct {
		name     string
		position string
		change   func(*corev1.Pod) []operation
		inits    []string // of the pod that is admitted
		arg      string   // of our container
		refused  string
	}{
		{
			name: "that adds an init container before us", position: before,
			change: func(pod *corev1.Pod) []operation { return addInit(pod, "proxy", nil) },
			inits:  []string{"sysctl-injector", "proxy"}, arg: "net.core.somaxconn=1024",
		},
		{
			name: "that adds an init container in front of ours", position: after,
			change: func(pod *corev1.Pod) []operation { return addInit(pod, "proxy", nil) },
			inits:  []string{"sysctl-injector", "proxy"}, arg: "net.core.somaxconn=1024",
		},
		{
			name: "that adds a sidecar in front of ours", position: after,
			change: func(pod *corev1.Pod) []operation {
				return addInit(pod, "proxy", ptr.To(corev1.ContainerRestartPolicyAlways))
			},
			inits: []string{"sysctl-injector", "proxy"}, arg: "net.core.somaxconn=1024",
		},
		{
			name: "that changes the annotation before us", position: before,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"replace", sysctls, "net.core.somaxconn = 2048"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=2048",
		},
		{
			name: "that changes the annotation after us", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"replace", sysctls, "net.core.somaxconn = 2048"})
			},
			refused: differs("args"),
		},
		{
			name: "that takes the annotation away after us", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{Op: "remove", Path: sysctls})
			},
			refused: "ReservedName: spec.initContainers[0]" + reservedName,
		},
		{
			name: "that opts the pod out after us", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"add", "/metadata/annotations/sysctl-injector.dev~1inject", "false"})
			},
			refused: "ReservedName: spec.initContainers[0]" + reservedName,
		},
		{
			name: "that changes other annotations after us", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"add", "/metadata/annotations/example.com~1seen", "yes"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=1024",
		},
		{
			name: "that changes our status and label", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"add", "/metadata/annotations/sysctl-injector.dev~1status", "{}"},
					operation{"add", "/metadata/labels/sysctl-injector.dev~1injected", "no"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=1024",
		},
		{
			name: "that removes our container", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{Op: "remove", Path: "/spec/initContainers/0"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=1024",
		},
		{
			name: "that gives our container another image", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"replace", "/spec/initContainers/0/image", "example.com/evil"})
			},
			refused: differs("image"),
		},
		{
			name: "that gives our container a shell", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"replace", "/spec/initContainers/0/command", []string{"sh", "-c"}})
			},
			refused: differs("command"),
		},
		{
			name: "that gives our container one sysctl more", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"add", "/spec/initContainers/0/args/-", "kernel.core_pattern=x"})
			},
			refused: differs("args"),
		},
		{
			name: "that mounts the node into our container", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod,
					operation{"add", "/spec/volumes", []corev1.Volume{{Name: "root", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}},
					operation{"add", "/spec/initContainers/0/volumeMounts", []corev1.VolumeMount{{Name: "root", MountPath: "/node"}}})
			},
			refused: differs("volumeMounts"),
		},
		{
			name: "that makes our container run on", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"add", "/spec/initContainers/0/restartPolicy", "Always"})
			},
			refused: differs("restartPolicy"),
		},
		{
			name: "that takes the privilege away from our container", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"replace", "/spec/initContainers/0/securityContext/privileged", false})
			},
			refused: differs("securityContext"),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, optedIn)
			otherWebhook{test.position, test.change}.install(t, namespace)
			k := newTerminal(t, namespace)
			pod := manifest(t, newPod("web", "net.core.somaxconn = 1024"))
			if test.refused != "" {
				k.fails(denied(test.refused), pod, "create", "-f", "-")
				return
			}
			k.must(pod, "create", "-f", "-")
			created := getPod(t, namespace, "web")
			wantContainer(t, created, injectedContainer(created, test.arg))
			if diff := cmp.Diff(test.inits, initNames(created)); diff != "" {
				t.Errorf("init containers (-want +got):\n%s", diff)
			}
		})
	}
}

// addInit puts an init container in front, once.
func addInit(pod *corev1.Pod, name string, restart *corev1.ContainerRestartPolicy) []operation {
	container := corev1.Container{Name: name, Image: "example.com/proxy", RestartPolicy: restart}
	for _, present := range pod.Spec.InitContainers {
		if present.Name == name {
			return nil
		}
	}
	if len(pod.Spec.InitContainers) == 0 {
		return []operation{{"add", "/spec/initContainers", []corev1.Container{container}}}
	}
	return []operation{{"add", "/spec/initContainers/0", container}}
}

// onlyAsking leaves other pods alone: those by which the test learns that the webhook is called.
func onlyAsking(pod *corev1.Pod, change ...operation) []operation {
	if pod.Annotations[v1alpha1.SysctlsAnnotation] == "" {
		return nil
	}
	return change
}

func onlyInjected(pod *corev1.Pod, change ...operation) []operation {
	if len(pod.Spec.InitContainers) == 0 {
		return nil
	}
	return change
}

func differs(field string) string {
	return `ReservedName: spec.initContainers[0].name: Invalid value: "sysctl-injector": it is not what the pod's annotations ask for: it differs in ` + field + removeIt
}

package admission_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Whatever other webhooks do, a pod that asks for a sysctl is admitted with exactly our container in front, or
// rejected.
func TestBesideAnotherWebhook(t *testing.T) {
	t.Parallel()
	const sysctls = "/metadata/annotations/sysctl-injector.dev~1sysctls"
	tests := []struct {
		name     string
		position string
		change   func(*corev1.Pod) []operation
		inits    []string // of the pod that is admitted
		arg      string   // of our container
		rejected string
	}{
		{
			name: "that adds an init container before us", position: before,
			change: func(pod *corev1.Pod) []operation { return addInit(pod, "proxy", nil) },
			inits:  []string{"sysctl-injector", "proxy"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that adds an init container in front of ours", position: after,
			change: func(pod *corev1.Pod) []operation { return addInit(pod, "proxy", nil) },
			inits:  []string{"sysctl-injector", "proxy"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that adds a sidecar in front of ours", position: after,
			change: func(pod *corev1.Pod) []operation {
				return addInit(pod, "proxy", ptr.To(corev1.ContainerRestartPolicyAlways))
			},
			inits: []string{"sysctl-injector", "proxy"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that changes the annotation before us", position: before,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"replace", sysctls, "net.core.somaxconn = 8192"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=8192",
		},
		{
			name: "that changes the annotation after us", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"replace", sysctls, "net.core.somaxconn = 8192"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=8192",
		},
		{
			name: "that takes the annotation away after us", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{Op: "remove", Path: sysctls})
			},
			rejected: "ReservedName: spec.initContainers[0]" + reservedName,
		},
		{
			name: "that opts the pod out after us", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"add", "/metadata/annotations/sysctl-injector.dev~1inject", "false"})
			},
			rejected: "ReservedName: spec.initContainers[0]" + reservedName,
		},
		{
			name: "that changes other annotations after us", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"add", "/metadata/annotations/example.com~1seen", "yes"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that changes our status and label", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyAsking(pod, operation{"add", "/metadata/annotations/sysctl-injector.dev~1status", "{}"},
					operation{"add", "/metadata/labels/sysctl-injector.dev~1injected", "no"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that removes our container", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{Op: "remove", Path: "/spec/initContainers/0"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that gives our container another image", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"replace", "/spec/initContainers/0/image", "example.com/evil"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that gives our container a shell", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"replace", "/spec/initContainers/0/command", []string{"sh", "-c"}})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that gives our container one sysctl more", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"add", "/spec/initContainers/0/args/-", "kernel.core_pattern=x"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that mounts the node into our container", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod,
					operation{"add", "/spec/volumes/-", corev1.Volume{Name: "root",
						VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}},
					operation{"add", "/spec/initContainers/0/volumeMounts",
						[]corev1.VolumeMount{{Name: "root", MountPath: "/node"}}})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that makes our container run on", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"add", "/spec/initContainers/0/restartPolicy", "Always"})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that gives every container a cloud identity, before us", position: before,
			change: giveIdentity,
			inits:  []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that gives every container a cloud identity, after us", position: after,
			change: giveIdentity,
			inits:  []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that rewrites images to a mirror after us", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"replace", "/spec/initContainers/0/image",
					"mirror.example.com/" + initImage})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
		{
			name: "that takes the privilege away from our container", position: after,
			change: func(pod *corev1.Pod) []operation {
				return onlyInjected(pod, operation{"replace", "/spec/initContainers/0/securityContext/privileged", false})
			},
			inits: []string{"sysctl-injector"}, arg: "net.core.somaxconn=4096",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, optedIn)
			otherWebhook{test.position, test.change}.install(t, namespace)
			k := newTerminal(t, namespace)
			pod := manifest(t, newPod("web", "net.core.somaxconn = 4096"))
			if test.rejected != "" {
				k.fails(denied(test.rejected), pod, "create", "-f", "-")
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

// giveIdentity adds a variable and a volume to every container that the pod does not have left alone, as
// aws/amazon-eks-pod-identity-webhook does (pkg/handler/handler.go, getPodSpecPatch).
func giveIdentity(pod *corev1.Pod) []operation {
	if pod.Annotations[v1alpha1.SysctlsAnnotation] == "" {
		return nil
	}
	skipped := strings.Split(pod.Annotations["eks.amazonaws.com/skip-containers"], ",")
	inits := slices.Clone(pod.Spec.InitContainers)
	for i := range inits {
		if len(inits[i].Env) == 0 && !slices.Contains(skipped, inits[i].Name) {
			inits[i].Env = []corev1.EnvVar{{Name: "AWS_ROLE_ARN", Value: "arn:aws:iam::111122223333:role/web"}}
		}
	}
	ops := []operation{{"add", "/spec/initContainers", inits}}
	if slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "aws-iam-token" }) {
		return ops
	}
	token := corev1.Volume{Name: "aws-iam-token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "sts.amazonaws.com", Path: "token"}}},
	}}}
	return append(ops, operation{"add", "/spec/volumes", append(slices.Clone(pod.Spec.Volumes), token)})
}

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
	const (
		sysctls     = "/metadata/annotations/sysctl-injector.dev~1sysctls"
		annotations = "/metadata/annotations/"
		ours        = "/spec/initContainers/0/"
		reserved    = "ReservedName: spec.initContainers[0]" + reservedName
	)
	proxy := func(pod *corev1.Pod) []operation { return addInit(pod, "proxy", nil) }
	sidecar := func(pod *corev1.Pod) []operation {
		return addInit(pod, "proxy", ptr.To(corev1.ContainerRestartPolicyAlways))
	}
	more := onlyAsking(operation{"replace", sysctls, "net.core.somaxconn = 8192"})
	root := corev1.Volume{Name: "root",
		VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}
	tests := []struct {
		name     string
		position string
		change   func(*corev1.Pod) []operation
		besides  []string // init containers of the pod that is admitted, after ours
		value    string   // in our container's argument
		rejected string
	}{
		{"that adds an init container before us", before, proxy, []string{"proxy"}, "4096", ""},
		{"that adds an init container in front of ours", after, proxy, []string{"proxy"}, "4096", ""},
		{"that adds a sidecar in front of ours", after, sidecar, []string{"proxy"}, "4096", ""},
		{"that changes the annotation before us", before, more, nil, "8192", ""},
		{"that changes the annotation after us", after, more, nil, "8192", ""},
		{"that takes the annotation away after us", after,
			onlyAsking(operation{Op: "remove", Path: sysctls}), nil, "", reserved},
		{"that opts the pod out after us", after,
			onlyAsking(operation{"add", annotations + "sysctl-injector.dev~1inject", "false"}), nil, "", reserved},
		{"that changes other annotations after us", after,
			onlyAsking(operation{"add", annotations + "example.com~1seen", "yes"}), nil, "4096", ""},
		{"that changes our status and label", after,
			onlyAsking(operation{"add", annotations + "sysctl-injector.dev~1status", "{}"},
				operation{"add", "/metadata/labels/sysctl-injector.dev~1injected", "no"}), nil, "4096", ""},
		{"that removes our container", after,
			onlyInjected(operation{Op: "remove", Path: "/spec/initContainers/0"}), nil, "4096", ""},
		{"that gives our container another image", after,
			onlyInjected(operation{"replace", ours + "image", "example.com/evil"}), nil, "4096", ""},
		{"that gives our container a shell", after,
			onlyInjected(operation{"replace", ours + "command", []string{"sh", "-c"}}), nil, "4096", ""},
		{"that gives our container one sysctl more", after,
			onlyInjected(operation{"add", ours + "args/-", "kernel.core_pattern=x"}), nil, "4096", ""},
		{"that mounts the node into our container", after,
			onlyInjected(operation{"add", "/spec/volumes/-", root},
				operation{"add", ours + "volumeMounts", []corev1.VolumeMount{{Name: "root", MountPath: "/node"}}}),
			nil, "4096", ""},
		{"that makes our container run on", after,
			onlyInjected(operation{"add", ours + "restartPolicy", "Always"}), nil, "4096", ""},
		{"that gives every container a cloud identity, before us", before, giveIdentity, nil, "4096", ""},
		{"that gives every container a cloud identity, after us", after, giveIdentity, nil, "4096", ""},
		{"that rewrites images to a mirror after us", after,
			onlyInjected(operation{"replace", ours + "image", "mirror.example.com/" + initImage}), nil, "4096", ""},
		{"that takes the privilege away from our container", after,
			onlyInjected(operation{"replace", ours + "securityContext/privileged", false}), nil, "4096", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			namespace := makeNamespace(t, enrolled)
			otherWebhook{test.position, test.change}.install(t, namespace)
			k := newTerminal(t, namespace)
			pod := manifest(t, newPod("web", "net.core.somaxconn = 4096"))
			if test.rejected != "" {
				k.fails(denied(test.rejected), pod, "create", "-f", "-")
				return
			}
			k.must(pod, "create", "-f", "-")
			created := getPod(t, namespace, "web")
			wantInjected(t, created, "net.core.somaxconn="+test.value)
			if diff := cmp.Diff(append([]string{"sysctl-injector"}, test.besides...), initNames(created)); diff != "" {
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

// onlyAsking changes only the pods that ask for sysctls. The others show the test when the webhook is called.
func onlyAsking(change ...operation) func(*corev1.Pod) []operation {
	return func(pod *corev1.Pod) []operation {
		if pod.Annotations[v1alpha1.SysctlsAnnotation] == "" {
			return nil
		}
		return change
	}
}

func onlyInjected(change ...operation) func(*corev1.Pod) []operation {
	return func(pod *corev1.Pod) []operation {
		if len(pod.Spec.InitContainers) == 0 {
			return nil
		}
		return change
	}
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
	token := corev1.Volume{Name: "aws-iam-token",
		VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "sts.amazonaws.com",
					Path: "token"}}},
		}}}
	return append(ops, operation{"add", "/spec/volumes", append(slices.Clone(pod.Spec.Volumes), token)})
}

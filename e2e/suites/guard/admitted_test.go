package guard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/randompod"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

// admitted are pods that the webhook writes, or that the API server makes of what it writes.
var admitted = []struct {
	name  string
	tweak func(*corev1.Pod)
}{
	{"as the webhook writes it", func(*corev1.Pod) {}},
	{"without any container of ours", func(pod *corev1.Pod) { pod.Spec.InitContainers = nil }},
	{"two sysctls, one with blanks in its value", sets("net.core.somaxconn=32768",
		"net.ipv4.ip_local_port_range=32768 65535")},
	{"a value of every character that there may be", sets("kernel.sem=AZ az_09,:./+-")},
	{"a value of 256 characters", sets("net.core.somaxconn=" + strings.Repeat("1", sysctl.MaxValueLength))},
	{"a list of ports of 4095 characters", sets("net.ipv4.ip_local_reserved_ports=" +
		strings.Repeat("1,23-456,", 455))},
	{"an interface with a dot in its name", sets("net.ipv4.conf.eth0/100.forwarding=1")},
	{"other init containers and sidecars behind it", func(pod *corev1.Pod) {
		sidecar := plainContainer("sidecar")
		sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, plainContainer("setup"), sidecar)
	}},
	{"resources", func(pod *corev1.Pod) {
		small := randompod.Quantities("100m", "32Mi")
		pod.Spec.InitContainers[0].Resources = corev1.ResourceRequirements{Requests: small, Limits: small}
		pod.Spec.Containers[0].Resources.Requests = randompod.Quantities("1", "1Gi")
	}},
	{"the former release's image", func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Image = formerImage }},
	{"the image pulled always, as the admission plugin AlwaysPullImages has it", func(pod *corev1.Pod) {
		pod.Spec.InitContainers[0].ImagePullPolicy = corev1.PullAlways
	}},
	{"the image never pulled, as in a cluster without a way out", func(pod *corev1.Pod) {
		pod.Spec.InitContainers[0].ImagePullPolicy = corev1.PullNever
	}},
	{"a digest behind the tag, as a resolver appends it", func(pod *corev1.Pod) {
		pod.Spec.InitContainers[0].Image = currentImage + "@sha256:" + strings.Repeat("0123456789abcdef", 4)
	}},
	{"a digest behind the former release's image", func(pod *corev1.Pod) {
		pod.Spec.InitContainers[0].Image = formerImage + "@sha256:" + strings.Repeat("0", 64)
	}},
	{"the annotation that an older API server writes for the AppArmor profile", func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{
			"container.apparmor.security.beta.kubernetes.io/sysctl-injector": "unconfined"}
	}},
	{"a Localhost profile of AppArmor for the pod", func(pod *corev1.Pod) {
		pod.Spec.SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeLocalhost,
			LocalhostProfile: new("confined")}
	}},
	{"procMount said as it is by default, as some releases do", func(pod *corev1.Pod) {
		pod.Spec.InitContainers[0].SecurityContext.ProcMount = new(corev1.DefaultProcMount)
	}},
	{"no token", func(pod *corev1.Pod) { pod.Spec.AutomountServiceAccountToken = new(false) }},
	{"a token that was mounted already, as in the YAML of a live pod", func(pod *corev1.Pod) {
		pod.Spec.Volumes = []corev1.Volume{{Name: "kube-api-access-x",
			VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}}}
		mounts := []corev1.VolumeMount{{Name: "kube-api-access-x", MountPath: tokenPath, ReadOnly: true}}
		pod.Spec.InitContainers[0].VolumeMounts, pod.Spec.Containers[0].VolumeMounts = mounts, mounts
	}},
	{"a process namespace that the containers share",
		func(pod *corev1.Pod) { pod.Spec.ShareProcessNamespace = new(true) }},
	{"a user namespace", func(pod *corev1.Pod) { pod.Spec.HostUsers = new(false) }},
	{"a net.* name in a RuntimeClass of the node's kernel", under("kata", "net.core.somaxconn=1024")},
	{"a node-level name in a RuntimeClass that is labelled", under("labelled", "vm.max_map_count=262144")},
	{"a node-level name in a RuntimeClass whose handler is a guest's", under("handled", "vm.max_map_count=262144")},
	{"a net.* name that is not isolated, in a guest", under("labelled", "net.netfilter.nf_conntrack_max=262144")},
	{"a net.* name in a user namespace of a guest", func(pod *corev1.Pod) {
		under("labelled", "net.core.somaxconn=1024")(pod)
		pod.Spec.HostUsers = new(false)
	}},
}

func TestGuardAdmits(t *testing.T) {
	for _, level := range levels {
		namespace := newNamespace(t, held(level))
		for _, row := range admitted {
			t.Run(fmt.Sprintf("%s: %s", level, row.name), func(t *testing.T) {
				pod := injectedPod()
				row.tweak(pod)
				if got := verdict(createIn(t, namespace, pod)); got != "" {
					t.Error(got)
				}
			})
		}
	}
}

// TestGuardAdmitsWhatALimitRangeAdds lets the API server write resources into the injected container, also ephemeral
// storage.
func TestGuardAdmitsWhatALimitRangeAdds(t *testing.T) {
	admin := clientset(t)
	namespace := newNamespace(t, held(levels[0]))
	small := randompod.Quantities("100m", "64Mi")
	small[corev1.ResourceEphemeralStorage] = resource.MustParse("1Gi")
	_, err := admin.CoreV1().LimitRanges(namespace).Create(t.Context(), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "defaults"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer,
			Default: small, DefaultRequest: small}}},
	}, metav1.CreateOptions{})
	must(t, err)
	eventually(t, "the LimitRange to work", func(ctx context.Context) (bool, error) {
		pod, err := admin.CoreV1().Pods(namespace).Create(ctx, injectedPod(), dryRun)
		if err != nil {
			return false, err
		}
		_, limited := pod.Spec.InitContainers[0].Resources.Limits[corev1.ResourceEphemeralStorage]
		return limited, nil
	})
}

// TestGuardKnowsTheScopes compares, for every name of the catalogue, whether the guard admits it on a shared kernel.
// None is granted: a dry run needs no grant.
func TestGuardKnowsTheScopes(t *testing.T) {
	namespace := newNamespace(t, held(levels[0]))
	names := []string{"kernel.shmmax", "kernel.msgmax", "kernel.sem", "kernel.sem_next_id", "fs.mqueue.msg_max",
		"net.ipv4.tcp_fin_timeout", "netx.a", "kernel.shared", "vm.swappiness"}
	for entry := range sysctl.Known() {
		names = append(names, entry.Name)
	}
	eachParallel(len(names), func(n int) {
		entry := sysctl.Lookup(names[n])
		pod := plainPod()
		pod.Spec.ServiceAccountName = "default"
		inject(pod, entry.Name+"=1")
		got := verdict(createIn(t, namespace, pod))
		want := ""
		if entry.Scope == sysctl.Node || entry.HostOnly != nil {
			want = fmt.Sprintf("must not set %q without a RuntimeClass", entry.Name)
		}
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %s, want …%s…", entry.Name, got, want)
		}
	})
}

package injection

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/form"
)

const annotation = "metadata.annotations[sysctl-injector.dev/sysctls]: "

func TestRejections(t *testing.T) {
	tests := []struct {
		name    string
		tweak   func(*world)
		reason  string
		message string
	}{
		{"rejects a path in a name", func(w *world) { w.sysctls("kernel/../../../tmp/x = 1") }, "InvalidAnnotation",
			annotation + `Invalid value: "kernel/../../../tmp/x": line 1: a sysctl name is words joined by single ` +
				`dots, such as net.core.somaxconn: ".." is not allowed`},
		{"rejects a misspelt annotation key, with the nearest",
			func(w *world) { w.annotate("sysctl-injector.dev/sysctl", "net.core.somaxconn = 1") }, "UnknownKey",
			`metadata.annotations[sysctl-injector.dev/sysctl]: Forbidden: no such key; did you mean ` +
				`metadata.annotations[sysctl-injector.dev/sysctls]?`},
		{"rejects a misspelt key on a pod that asks for nothing else", func(w *world) {
			delete(w.pod.Annotations, v1alpha1.SysctlsAnnotation)
			w.annotate("sysctl-injector.dev/profile", "nginx")
		}, "UnknownKey", `metadata.annotations[sysctl-injector.dev/profile]: Forbidden: no such key; did you mean ` +
			`metadata.annotations[sysctl-injector.dev/profiles]?`},
		{"rejects a known key as a label", func(w *world) { w.pod.Labels[v1alpha1.InjectAnnotation] = "true" },
			"UnknownKey",
			`metadata.labels[sysctl-injector.dev/inject]: Forbidden: this is a key of metadata.annotations; ` +
				`move it there`},
		{"rejects inject: maybe", func(w *world) { w.annotate(v1alpha1.InjectAnnotation, "maybe") },
			"InvalidAnnotation",
			`metadata.annotations[sysctl-injector.dev/inject]: Unsupported value: "maybe": supported values: ` +
				`"true", "false"`},
		{"rejects an unknown profile", func(w *world) { w.annotate(v1alpha1.ProfilesAnnotation, "ngin") },
			"InvalidAnnotation",
			`metadata.annotations[sysctl-injector.dev/profiles]: Unsupported value: "ngin": supported values: ` +
				`"nginx", "redis"`},
		{"rejects two profiles that disagree", func(w *world) {
			delete(w.pod.Annotations, v1alpha1.SysctlsAnnotation)
			w.annotate(v1alpha1.ProfilesAnnotation, "nginx,redis")
		}, "InvalidAnnotation", `metadata.annotations[sysctl-injector.dev/profiles]: Forbidden: profiles "nginx" and ` +
			`"redis" disagree: the one sets net.core.somaxconn=32768, the other net.core.somaxconn=511; name one of ` +
			`them only, or settle it with a line in sysctl-injector.dev/sysctls`},
		{"rejects what a pod's network namespace does not have",
			func(w *world) { w.sysctls("net.core.netdev_max_backlog = 1") }, "HostOnly",
			annotation + `Forbidden: line 1: net.core.netdev_max_backlog belongs to the node: a pod's own network ` +
				`namespace does not have it; remove it from the pod, and leave it to the node's administrator`},
		{"rejects a node-level sysctl without a guest kernel",
			func(w *world) { w.sysctls("vm.max_map_count = 262144") }, "NodeLevel",
			annotation + `Forbidden: line 1: vm.max_map_count is node-level: it would change the node and every pod ` +
				`on it. An administrator can set it on the node, or the pod can run under a RuntimeClass that gives ` +
				`it a kernel of its own (Kata Containers, for one)`},
		{"rejects a node-level sysctl under a RuntimeClass of runc, whatever its name", func(w *world) {
			w.sysctls("vm.max_map_count = 262144")
			w.pod.Spec.RuntimeClassName = ptr.To("kata-qemu")
			w.runtimeClass = &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "kata-qemu"}, Handler: "runc"}
		}, "NodeLevel", annotation + `Forbidden: line 1: vm.max_map_count is node-level: it would change the node ` +
			`and every pod on it. The pod's RuntimeClass "kata-qemu" is not known to give its pods a kernel of their ` +
			`own: its handler "runc" is not among --guest-handlers, and it has no label ` +
			`sysctl-injector.dev/kernel=guest; an administrator can set it on the node, or the pod can run under a ` +
			`RuntimeClass that gives it a kernel of its own (Kata Containers, for one)`},
		{"rejects kernel.core_pattern though a policy allows it",
			func(w *world) { w.sysctls("kernel.core_pattern = /tmp/core") }, "NeverOnSharedKernel",
			annotation + `Forbidden: line 1: kernel.core_pattern is never set on a kernel that other pods share, ` +
				`whatever a policy says: it names a program that the node runs as root at every crash`},
		{"rejects net.* on the host network", func(w *world) { w.pod.Spec.HostNetwork = true }, "HostNetwork",
			annotation + `Forbidden: line 1: net.core.somaxconn would change the node: the pod shares the node's ` +
				`network namespace (hostNetwork: true); remove hostNetwork, or the sysctl`},
		{"rejects kernel.sem in the host's IPC namespace", func(w *world) {
			w.sysctls("kernel.sem = 1 2 3 4")
			w.pod.Spec.HostIPC = true
		}, "HostIPC", annotation + `Forbidden: line 1: kernel.sem would change the node: the pod shares the node's ` +
			`IPC namespace (hostIPC: true); remove hostIPC, or the sysctl`},
		{"rejects a node-level sysctl in a user namespace, even of a guest", func(w *world) {
			w.sysctls("vm.max_map_count = 262144")
			w.pod.Spec.HostUsers = ptr.To(false)
			w.guest()
		}, "UserNamespace", annotation + `Forbidden: line 1: vm.max_map_count is node-level, and the pod runs in a ` +
			`user namespace (hostUsers: false), whose root may not write it; remove hostUsers: false, or the sysctl`},
		{"rejects a Windows pod", func(w *world) { w.pod.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }, "Windows",
			annotation + `Forbidden: the pod is for Windows nodes (spec.os.name: windows), which have no sysctls; ` +
				`remove the annotation`},
		{"rejects a pod that a node selector keeps on Windows nodes", func(w *world) {
			w.pod.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "windows"}
		}, "Windows", annotation + `Forbidden: the pod is for Windows nodes (spec.nodeSelector: ` +
			`kubernetes.io/os=windows), which have no sysctls; remove the annotation`},
		{"rejects a pod that its RuntimeClass keeps on Windows nodes", func(w *world) {
			w.pod.Spec.RuntimeClassName = ptr.To("windows-2022")
			w.runtimeClass = &nodev1.RuntimeClass{
				ObjectMeta: metav1.ObjectMeta{Name: "windows-2022"}, Handler: "runhcs",
				Scheduling: &nodev1.Scheduling{NodeSelector: map[string]string{"kubernetes.io/os": "windows"}},
			}
		}, "Windows", annotation + `Forbidden: the pod is for Windows nodes (scheduling.nodeSelector of RuntimeClass ` +
			`"windows-2022": kubernetes.io/os=windows), which have no sysctls; remove the annotation`},
		{"rejects a pod whose SELinux type confines the container", func(w *world) {
			w.pod.Spec.SecurityContext = &corev1.PodSecurityContext{
				SELinuxOptions: &corev1.SELinuxOptions{Type: "container_t"},
			}
		}, "SELinux", annotation + `Forbidden: the pod's SELinux type "container_t" ` +
			`(spec.securityContext.seLinuxOptions.type) would confine the init container too, which could not set ` +
			`them; state the type in the containers' securityContext instead`},
		{"rejects the mirror of a static pod", func(w *world) { w.annotate("kubernetes.io/config.mirror", "x") },
			"MirrorPod",
			annotation + "Forbidden: this is the mirror of a static pod (annotation kubernetes.io/config.mirror), " +
				"which its node runs as its own file says; put the init container into that file, for instance with " +
				"`sysctl-injector inject -f`"},
		{"rejects a sysctl set to another value natively", func(w *world) {
			w.pod.Spec.SecurityContext = &corev1.PodSecurityContext{
				Sysctls: []corev1.Sysctl{{Name: "net/core/somaxconn", Value: "512"}},
			}
		}, "NativeConflict", annotation + `Invalid value: "net.core.somaxconn=4096": spec.securityContext.sysctls ` +
			`sets net.core.somaxconn to "512"; remove one of the two`},
		{"rejects what no policy allows", func(w *world) {
			w.allow = []v1alpha1.AllowRule{{Names: []string{"net.core.somaxconn"}, Max: ptr.To(int64(512))}}
		}, "NotAllowedByPolicy",
			annotation + `Forbidden: line 1: net.core.somaxconn is not allowed by any SysctlPolicy for service ` +
				`account "default" in namespace "shop": the nearest one, SysctlPolicy "test", allows only whole ` +
				`numbers up to 512, not "4096"; an administrator can allow it in a SysctlPolicy`},
		{"rejects everything without a policy", func(w *world) { w.allow = nil }, "NoPolicy",
			annotation + `Forbidden: line 1: net.core.somaxconn is not allowed: there is no SysctlPolicy, so nothing ` +
				`is; an administrator can create one`},
		{"rejects the reserved name among the containers",
			func(w *world) { w.pod.Spec.Containers[0].Name = "sysctl-injector" }, "ReservedName",
			`spec.containers[0].name: Invalid value: "sysctl-injector": the name is kept for the init container that ` +
				`sysctl-injector adds; remove the container: it is added where annotation ` +
				`sysctl-injector.dev/sysctls asks for it`},
		{"rejects the reserved name among the ephemeral containers", func(w *world) {
			w.pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{
				{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "sysctl-injector"}},
			}
		}, "ReservedName", `spec.ephemeralContainers[0].name: Invalid value: "sysctl-injector": ` +
			`the name is kept for the init container that sysctl-injector adds; remove the container: ` +
			`it is added where annotation sysctl-injector.dev/sysctls asks for it`},
		{"rejects our own container on a pod that asks for nothing", func(w *world) {
			w.pod.Annotations = nil
			w.pod.Spec.InitContainers = []corev1.Container{injected()}
		}, "ReservedName", `spec.initContainers[0].name: Invalid value: "sysctl-injector": ` +
			`the name is kept for the init container that sysctl-injector adds; remove the container: ` +
			`it is added where annotation sysctl-injector.dev/sysctls asks for it`},
		{"rejects our own container on a pod that opts out", func(w *world) {
			w.annotate(v1alpha1.InjectAnnotation, "false")
			w.pod.Spec.InitContainers = []corev1.Container{injected()}
		}, "ReservedName", `spec.initContainers[0].name: Invalid value: "sysctl-injector": ` +
			`the name is kept for the init container that sysctl-injector adds; remove the container: ` +
			`it is added where annotation sysctl-injector.dev/sysctls asks for it`},
		{"tells every problem at once", func(w *world) {
			w.sysctls("net.core.somaxconn = 1\nvm.swappiness = 1")
			w.pod.Spec.HostNetwork = true
		}, "HostNetwork", "2 problems:\n" +
			"- HostNetwork: " + annotation +
			"Forbidden: line 1: net.core.somaxconn would change the node: the pod shares the node's network " +
			"namespace (hostNetwork: true); remove hostNetwork, or the sysctl\n" +
			"- NodeLevel: " + annotation +
			"Forbidden: line 2: vm.swappiness is node-level: it would change the node and every pod on it. An " +
			"administrator can set it on the node, or the pod can run under a RuntimeClass that gives it a kernel of " +
			"its own (Kata Containers, for one)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := validWorld()
			test.tweak(w)
			outcome := w.decide(t, Config{})
			if outcome.Reason != test.reason {
				t.Errorf("reason %q, want %q", outcome.Reason, test.reason)
			}
			want := test.message
			if len(outcome.Violations) == 1 {
				want = test.reason + ": " + want
			}
			if diff := cmp.Diff(want, outcome.Message()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if len(outcome.Operations) > 0 || outcome.Grant != nil {
				t.Error("a rejected pod must not be changed, nor anything granted")
			}
		})
	}
}

func TestConfigErrors(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   string
	}{
		{"rejects an unknown pull policy", Config{Config: form.Config{PullPolicy: "Sometimes"}},
			`PullPolicy: "Sometimes" is not one of Always, IfNotPresent, Never`},
		{"rejects an image with a blank", Config{Config: form.Config{Image: "busy box"}},
			`Image: "busy box" is no image reference`},
		{"rejects a secret that cannot exist", Config{PullSecrets: []string{"A B"}},
			`PullSecrets: "A B": a lowercase RFC 1123 subdomain must consist of`},
		{"rejects a handler that no RuntimeClass can have", Config{GuestHandlers: []string{"kata", " kata-qemu"}},
			`GuestHandlers: " kata-qemu": a lowercase RFC 1123 label must consist of`},
		{"rejects CPU below zero", Config{Config: form.Config{CPU: resource.MustParse("-1")}}, `CPU: -1 is below zero`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.config)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

package admission_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

const (
	annotation  = "metadata.annotations[sysctl-injector.dev/sysctls]: "
	guestAdvice = "n administrator can set it on the node, or the pod can run under a RuntimeClass that gives it a " +
		"kernel of its own (Kata Containers, for one)"
	removeIt     = "; remove the container: it is added where annotation sysctl-injector.dev/sysctls asks for it"
	reservedName = `.name: Invalid value: "sysctl-injector": the name is kept for the init container that ` +
		`sysctl-injector adds` + removeIt
	nameForm  = "a sysctl name is words joined by single dots, such as net.core.somaxconn"
	valueForm = "; allowed are A-Z a-z 0-9 _ space , : . / + -"
)

// kubectl shows each rejection in these words.
func TestRejections(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"example.com/trust": "everything"}
	for key, value := range enrolled {
		labels[key] = value
	}
	trusted := makeNamespace(t, labels)
	plain := makeNamespace(t, enrolled)
	makeRuntimeClass(t, &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "kata-by-name-only"}, Handler: "runc"})

	sysctls := func(text string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations[v1alpha1.SysctlsAnnotation] = text }
	}
	annotate := func(key, value string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations[key] = value }
	}
	tests := []struct {
		name    string
		tweak   func(*corev1.Pod)
		message string
	}{
		{"a path in a name", sysctls("kernel/../../../tmp/x = 1"),
			"InvalidAnnotation: " + annotation + `Invalid value: "kernel/../../../tmp/x": line 1: ` + nameForm +
				`: ".." is not allowed`},
		{"a flag for a name", sysctls("-w = 1"),
			"InvalidAnnotation: " + annotation +
				`Invalid value: "w": line 1: a sysctl name has two words or more joined by dots, such as ` +
				`net.core.somaxconn`},
		{"a second line in a value", sysctls("net.core.somaxconn = 1\nrm -rf /"),
			"InvalidAnnotation: " + annotation +
				`Invalid value: "rm -rf /": line 2: there is no "=": write one "name = value" a line`},
		{"a semicolon in a value", sysctls("net.core.somaxconn = 1; reboot"),
			"InvalidAnnotation: " + annotation +
				`Invalid value: "1; reboot": line 1: the character ';' is not allowed in a value (a comment, or ` +
				`another assignment, needs a line of its own)` + valueForm},
		{"a substitution in a value", sysctls("net.core.somaxconn = $(reboot)"),
			"InvalidAnnotation: " + annotation +
				`Invalid value: "$(reboot)": line 1: the character '$' is not allowed in a value (it is set as ` +
				`written: no shell, no variables)` + valueForm},
		{"a quote in a value", sysctls(`kernel.sem = "1 2 3 4"`),
			"InvalidAnnotation: " + annotation +
				`Invalid value: "\"1 2 3 4\"": line 1: the character '"' is not allowed in a value (quotes ` +
				`are not needed)` + valueForm},
		{"a duplicate in other spelling", sysctls("net.core.somaxconn = 1\nnet/core/somaxconn = 2"),
			"InvalidAnnotation: " + annotation +
				`Duplicate value: "net.core.somaxconn": line 2: line 1 sets it already: keep one of them`},
		{"17 assignments", sysctls(assignments(17)),
			"TooManySysctls: " + annotation +
				`Forbidden: 17 sysctls need the init container, which can set at most 16: the guard checks each of ` +
				`them, and has a budget for so many; remove 1`},
		{"65 assignments", sysctls(assignments(65)),
			"InvalidAnnotation: " + annotation +
				`Too many: 65: at most 64 assignments are allowed: remove 1, from line 65 on`},
		{"a name without a value", sysctls("net.core.somaxconn ="),
			"InvalidAnnotation: " + annotation +
				`Required value: line 1: net.core.somaxconn has no value: write "name = value"`},
		{"a misspelt key", annotate("sysctl-injector.dev/sysctl", "net.core.somaxconn = 1"),
			"UnknownKey: metadata.annotations[sysctl-injector.dev/sysctl]: Forbidden: no such key; did you mean " +
				"metadata.annotations[sysctl-injector.dev/sysctls]?"},
		{"inject: maybe", annotate(v1alpha1.InjectAnnotation, "maybe"),
			`InvalidAnnotation: metadata.annotations[sysctl-injector.dev/inject]: Unsupported value: "maybe": ` +
				`supported values: "true", "false"`},
		{"an unknown profile", annotate(v1alpha1.ProfilesAnnotation, "ngin"),
			`InvalidAnnotation: metadata.annotations[sysctl-injector.dev/profiles]: Unsupported value: "ngin": ` +
				`supported values: "cassandra", "elasticsearch", "envoy", "haproxy", "kafka", "milvus", "mongodb", ` +
				`"nginx", "opensearch", "postgresql", "rabbitmq", "redis"`},
		{"two profiles that disagree", func(p *corev1.Pod) {
			p.Annotations = map[string]string{v1alpha1.ProfilesAnnotation: "mongodb, rabbitmq"}
		}, `InvalidAnnotation: metadata.annotations[sysctl-injector.dev/profiles]: Forbidden: profiles "mongodb" and ` +
			`"rabbitmq" disagree: the one sets net.ipv4.tcp_keepalive_time=120, ` +
			"the other net.ipv4.tcp_keepalive_time=30; name one of them only, or settle it with a line in " +
			"sysctl-injector.dev/sysctls"},
		{"what a pod's network namespace does not have", sysctls("net.core.netdev_max_backlog = 1"),
			"HostOnly: " + annotation +
				"Forbidden: line 1: net.core.netdev_max_backlog belongs to the node: a pod's own network namespace " +
				"does not have it; remove it from the pod, and leave it to the node's administrator"},
		{"a node-level sysctl without a guest", sysctls("vm.max_map_count = 262144"),
			"NodeLevel: " + annotation + "Forbidden: line 1: vm.max_map_count is node-level: it would change the " +
				"node and every pod on it. A" + guestAdvice},
		{"a node-level sysctl under a RuntimeClass that is a guest's by name alone", func(p *corev1.Pod) {
			sysctls("vm.max_map_count = 262144")(p)
			p.Spec.RuntimeClassName = ptr.To("kata-by-name-only")
		}, "NodeLevel: " + annotation + "Forbidden: line 1: vm.max_map_count is node-level: it would change the node " +
			"and every pod on it. The pod's RuntimeClass \"kata-by-name-only\" is not known to give its pods " +
			"a kernel of their own: its handler \"runc\" is not among --guest-handlers, and it has no label " +
			"sysctl-injector.dev/kernel=guest; a" + guestAdvice},
		{"kernel.core_pattern with a policy that allows it", sysctls("kernel.core_pattern = /tmp/core"),
			"NeverOnSharedKernel: " + annotation +
				"Forbidden: line 1: kernel.core_pattern is never set on a kernel that other pods share, whatever a " +
				"policy says: it names a program that the node runs as root at every crash"},
		{"net.* on the host network", func(p *corev1.Pod) { p.Spec.HostNetwork = true },
			"HostNetwork: " + annotation + "Forbidden: line 1: net.core.somaxconn would change the node: the pod " +
				"shares the node's network namespace (hostNetwork: true); remove hostNetwork, or the sysctl"},
		{"kernel.sem in the host's IPC namespace", func(p *corev1.Pod) {
			sysctls("kernel.sem = 1 2 3 4")(p)
			p.Spec.HostIPC = true
		}, "HostIPC: " + annotation + "Forbidden: line 1: kernel.sem would change the node: the pod shares the " +
			"node's IPC namespace (hostIPC: true); remove hostIPC, or the sysctl"},
		{"a node-level sysctl in a user namespace", func(p *corev1.Pod) {
			sysctls("vm.max_map_count = 262144")(p)
			p.Spec.HostUsers = ptr.To(false)
		}, "UserNamespace: " + annotation + "Forbidden: line 1: vm.max_map_count is node-level, and the pod runs in " +
			"a user namespace (hostUsers: false), whose root may not write it; remove hostUsers: false, or the sysctl"},
		{"a Windows pod", func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} },
			"Windows: " + annotation + "Forbidden: the pod is for Windows nodes (spec.os.name: windows), which have " +
				"no sysctls; remove the annotation"},
		{"the mirror of a static pod", annotate(corev1.MirrorPodAnnotationKey, "x"),
			"MirrorPod: " + annotation +
				"Forbidden: this is the mirror of a static pod (annotation kubernetes.io/config.mirror), which its " +
				"node runs as its own file says; put the init container into that file, for instance with " +
				"`sysctl-injector inject -f`"},
		{"another value set natively", func(p *corev1.Pod) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "net.core.somaxconn",
				Value: "512"}}}
		}, "NativeConflict: " + annotation + `Invalid value: "net.core.somaxconn=1024": spec.securityContext.sysctls ` +
			`sets net.core.somaxconn to "512"; remove one of the two`},
		{"a container under the reserved name", func(p *corev1.Pod) { p.Spec.Containers[0].Name = "sysctl-injector" },
			"ReservedName: spec.containers[0]" + reservedName},
		{"our container on a pod that asks for nothing", func(p *corev1.Pod) {
			p.Annotations = nil
			p.Spec.InitContainers = []corev1.Container{injectedContainer(p, "net.core.somaxconn=1024")}
		}, "ReservedName: spec.initContainers[0]" + reservedName},
		{"every problem at once", func(p *corev1.Pod) {
			sysctls("net.core.somaxconn = 1\nvm.swappiness = 1")(p)
			p.Spec.HostNetwork = true
		}, "2 problems:\n" +
			"- HostNetwork: " + annotation + "Forbidden: line 1: net.core.somaxconn would change the node: the pod " +
			"shares the node's network namespace (hostNetwork: true); remove hostNetwork, or the " +
			"sysctl\n- NodeLevel: " + annotation +
			"Forbidden: line 2: vm.swappiness is node-level: it would change the node and every pod on it. A" +
			guestAdvice},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pod := newPod("web", "net.core.somaxconn = 1024")
			test.tweak(pod)
			newTerminal(t, trusted).fails(denied(test.message), manifest(t, pod), "create", "-f", "-")
		})
	}

	// No policy of the plain namespace allows it, even to a guest.
	t.Run("what no policy allows", func(t *testing.T) {
		t.Parallel()
		makeRuntimeClass(t, &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "rejected-guest"},
			Handler: "kata"})
		for sysctl, why := range map[string]string{
			"kernel.pid_max = 1": ``,
			"kernel.threads-max = 200000": `: the nearest one, SysctlPolicy "threads", allows only whole numbers up ` +
				`to 100000, not "200000"`,
		} {
			name, _, _ := strings.Cut(sysctl, " ")
			pod := newPod("web", sysctl)
			pod.Spec.RuntimeClassName = ptr.To("rejected-guest")
			newTerminal(t, plain).
				fails(denied("NotAllowedByPolicy: "+annotation+"Forbidden: line 1: "+name+` is not allowed by any `+
					`SysctlPolicy for service account "default" in namespace "`+plain+`"`+why+
					"; an administrator can allow it in a SysctlPolicy"), manifest(t, pod), "create", "-f", "-")
		}
	})
}

func assignments(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "net.ipv4.conf.eth%d.forwarding = 1\n", i)
	}
	return text.String()
}

// A rejected file leaves nothing behind, and the rest of it is made.
func TestRejectedPodDoesNotStopTheRestOfItsFile(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled)
	k := newTerminal(t, namespace)
	stdout, stderr, err := k.run(manifest(t, newPod("bad", "vm.swappiness = 1"),
		newPod("good", "net.core.somaxconn = 32768")), "apply", "-f", "-")
	want := denied("NodeLevel: " + annotation +
		"Forbidden: line 1: vm.swappiness is node-level: it would change the node and every pod on it. A" +
		guestAdvice + "\n")
	if err == nil || stdout != "pod/good created\n" || stderr != want {
		t.Errorf("kubectl apply: %v; it says %q and %q, want %q", err, stdout, stderr, want)
	}
	k.prints("pod/good\n", "", "get", "pods", "-o", "name")
}

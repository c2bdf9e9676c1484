package guard_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
)

// The files of the containers that the webhook writes into a pod with hostUsers: false.
const (
	forIPC     = "user-namespace"
	forNetwork = "user-namespace-net"
)

// userNamespacesTrusted is the version since which Pod Security's baseline admits an unmasked /proc in a user
// namespace.
const userNamespacesTrusted = 35

// userNamespaced is a pod in a user namespace that meets every standard but for the injected container.
func userNamespaced(template string, args ...string) *corev1.Pod {
	pod := attacked()
	pod.Spec.HostUsers = new(false)
	pod.Spec.InitContainers = []corev1.Container{oursOf(template, args...)}
	return pod
}

// needsUserNamespaces skips a test where the API server drops the fields that it is about.
func needsUserNamespaces(t *testing.T) {
	t.Helper()
	if server(t).minor < userNamespaces {
		t.Skip("NOT RUN: this version of Kubernetes drops hostUsers and procMount")
	}
}

func TestGuardAdmitsUserNamespaces(t *testing.T) {
	needsUserNamespaces(t)
	ipcNotGranted := ""
	if server(t).minor < userNamespacesTrusted {
		ipcNotGranted = `sysctl "kernel.sem" is not granted: service account "default"`
	}
	for _, level := range levels {
		namespace := newNamespace(t, held(level))
		for _, test := range []struct {
			name           string
			template       string
			serviceAccount string
			args           []string
			want           string // part of the message; none if the pod is admitted
		}{
			{"IPC names need no grant", forIPC, "default", []string{"kernel.sem=1 2 3 4", "fs.mqueue.msg_max=64"},
				ipcNotGranted},
			{"net.* names that are granted", forNetwork, "granted", []string{"net.core.somaxconn=1024",
				"kernel.sem=1 2 3 4"}, ""},
			{"net.* names that are not granted", forNetwork, "default", []string{"net.core.somaxconn=1024"},
				`sysctl "net.core.somaxconn" is not granted: service account "default"`},
			{"a node-level name", forNetwork, "granted", []string{"vm.max_map_count=262144"},
				`container "sysctl-injector" must not set "vm.max_map_count" with hostUsers=false`},
		} {
			t.Run(fmt.Sprintf("%s: %s", level, test.name), func(t *testing.T) {
				pod := userNamespaced(test.template, test.args...)
				pod.GenerateName, pod.Name = "pod-", ""
				pod.Spec.ServiceAccountName = test.serviceAccount
				pod.Spec.Volumes, pod.Spec.ResourceClaims = nil, nil
				// Not a dry run, which needs no grants.
				_, err := clientset(t).CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
				if got := verdict(err); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
					t.Errorf("got  %s\nwant …%s…", got, test.want)
				}
			})
		}
	}
}

// Pod Security itself admits the container for IPC names at baseline. The guard does not act here.
func TestPodSecurityAdmitsIPCNamesInAUserNamespace(t *testing.T) {
	if server(t).minor < userNamespacesTrusted {
		t.Skip("NOT RUN: Pod Security of this version of Kubernetes does not trust user namespaces")
	}
	for _, test := range []struct {
		level    api.Level
		template string
		want     string
	}{
		{api.LevelBaseline, forIPC, ""},
		{api.LevelBaseline, forNetwork, `non-default capabilities (container "sysctl-injector" must not include ` +
			`"NET_ADMIN" in securityContext.capabilities.add)`},
		{api.LevelRestricted, forIPC,
			`procMount (container "sysctl-injector" must not set securityContext.procMount to "Unmasked")`},
	} {
		namespace := newNamespace(t, labels{api.EnforceLevelLabel: string(test.level)})
		got := verdict(createIn(t, namespace, userNamespaced(test.template, "kernel.sem=1 2 3 4")))
		if !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s at %s: got %s\nwant …%s…", test.template, test.level, got, test.want)
		}
	}
}

// Attempts to get more out of the unprivileged container than the webhook writes.
func TestGuardBypassInAUserNamespace(t *testing.T) {
	needsUserNamespaces(t)
	const (
		netAdmin = `non-default capabilities (container "sysctl-injector" must not include "NET_ADMIN" in ` +
			`securityContext.capabilities.add)`
		different = "is not as the webhook writes it, it differs in "
	)
	first := func(tweak func(*corev1.Container)) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { tweak(&pod.Spec.InitContainers[0]) }
	}
	sc := func(tweak func(*corev1.SecurityContext)) func(*corev1.Pod) {
		return first(func(c *corev1.Container) { tweak(c.SecurityContext) })
	}
	namespace := newNamespace(t, held(api.LevelBaseline))
	for _, test := range []struct {
		name  string
		tweak func(*corev1.Pod)
		want  []string // each a part of the message
	}{
		{"without a user namespace", func(pod *corev1.Pod) { pod.Spec.HostUsers = nil }, []string{"hostUsers"}},
		{"in the node's user namespace", func(pod *corev1.Pod) { pod.Spec.HostUsers = new(true) },
			[]string{"hostUsers"}},
		{"the same with a masked /proc", func(pod *corev1.Pod) {
			pod.Spec.HostUsers = nil
			pod.Spec.InitContainers[0].SecurityContext.ProcMount = nil
		}, []string{different + "securityContext", netAdmin}},
		{"privileged too", sc(func(sc *corev1.SecurityContext) {
			sc.Privileged, sc.AllowPrivilegeEscalation = new(true), nil
		}), []string{different + "securityContext", netAdmin, oursIsPrivileged}},
		{"another capability",
			sc(func(sc *corev1.SecurityContext) { sc.Capabilities.Add = []corev1.Capability{"SYS_ADMIN"} }), []string{
				different + "securityContext", "SYS_ADMIN"}},
		{"one capability more", sc(func(sc *corev1.SecurityContext) {
			sc.Capabilities.Add = append(sc.Capabilities.Add,
				"NET_RAW")
		}), []string{different + "securityContext", "NET_RAW"}},
		{"every capability", sc(func(sc *corev1.SecurityContext) { sc.Capabilities.Add = []corev1.Capability{"ALL"} }),
			[]string{different + "securityContext"}},
		{"no capability dropped", sc(func(sc *corev1.SecurityContext) { sc.Capabilities.Drop = nil }),
			[]string{different + "securityContext", netAdmin}},
		{"one capability dropped",
			sc(func(sc *corev1.SecurityContext) { sc.Capabilities.Drop = []corev1.Capability{"KILL"} }), []string{
				different + "securityContext", netAdmin}},
		{"privileges that may grow", sc(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = new(true) }),
			[]string{different + "securityContext"}},
		{"privileges that may grow by default",
			sc(func(sc *corev1.SecurityContext) { sc.AllowPrivilegeEscalation = nil }),
			[]string{different + "securityContext"}},
		{"no seccomp profile", sc(func(sc *corev1.SecurityContext) { sc.SeccompProfile = nil }),
			[]string{different + "securityContext"}},
		{"seccomp unconfined", sc(func(sc *corev1.SecurityContext) {
			sc.SeccompProfile.Type = corev1.SeccompProfileTypeUnconfined
		}),
			[]string{different + "securityContext", "seccompProfile"}},
		{"another user", sc(func(sc *corev1.SecurityContext) { sc.RunAsUser = new(int64(1000)) }),
			[]string{different + "securityContext"}},
		{"a writable root file system", sc(func(sc *corev1.SecurityContext) { sc.ReadOnlyRootFilesystem = nil }),
			[]string{different + "securityContext"}},
		{"SELinux options", sc(func(sc *corev1.SecurityContext) {
			sc.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t"}
		}), []string{different + "securityContext", "seLinuxOptions"}},
		{"another image", first(func(c *corev1.Container) { c.Image = "registry.example.com/shell:1" }),
			[]string{different + "image", netAdmin}},
		{"a shell", first(func(c *corev1.Container) { c.Command = []string{"sh", "-c"} }),
			[]string{different + "command", netAdmin}},
		{"no command", first(func(c *corev1.Container) { c.Command = nil }), []string{different + "command", netAdmin}},
		{"a path for a name", first(func(c *corev1.Container) { c.Args = []string{"kernel/../../etc/x=1"} }),
			[]string{different + "args", netAdmin}},
		{"no arguments", first(func(c *corev1.Container) { c.Args = nil }), []string{different + "args", netAdmin}},
		{"an environment", first(func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "PATH", Value: "/x"}} }),
			[]string{different + "env", netAdmin}},
		{"a volume", first(mount("scratch", "/bin")), []string{different + "volumeMounts", netAdmin}},
		{"a sidecar", first(func(c *corev1.Container) { c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways) }),
			[]string{different + "restartPolicy", netAdmin}},
		{"under another name", first(func(c *corev1.Container) { c.Name = "more" }),
			[]string{`container "more" must not include "NET_ADMIN"`}},
		{"as the second init container", func(pod *corev1.Pod) {
			pod.Spec.InitContainers = append([]corev1.Container{plainContainer("first")}, pod.Spec.InitContainers...)
		}, []string{onlyTheFirst, netAdmin}},
		{"as an ordinary container", func(pod *corev1.Pod) {
			pod.Spec.Containers, pod.Spec.InitContainers = append(pod.Spec.Containers, pod.Spec.InitContainers...), nil
		}, []string{onlyTheFirst, netAdmin}},
		{"a second one beside it", func(pod *corev1.Pod) {
			second := oursOf(forNetwork, "net.core.somaxconn=1")
			second.Name = "more"
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, second)
		}, []string{`container "more" must not include "NET_ADMIN"`}},
		{"the privileged one's shape, unmasked", func(pod *corev1.Pod) {
			pod.Spec.InitContainers = []corev1.Container{ours("net.core.somaxconn=1024")}
			pod.Spec.InitContainers[0].SecurityContext.ProcMount = new(corev1.UnmaskedProcMount)
		}, []string{different + "securityContext", oursIsPrivileged}},
		{"a name of a guest's",
			first(func(c *corev1.Container) { c.Args = []string{"net.netfilter.nf_conntrack_max=262144"} }), []string{
				"without a RuntimeClass"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pod := userNamespaced(forNetwork, "net.core.somaxconn=1024")
			test.tweak(pod)
			got := verdict(createIn(t, namespace, pod))
			for _, part := range test.want {
				if !strings.Contains(got, part) {
					t.Errorf("got  %s\nwant …%s…", got, part)
				}
			}
		})
	}
}

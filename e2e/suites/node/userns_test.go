package node_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/sysctl"
)

func inUserNamespace(pod *corev1.Pod) { pod.Spec.HostUsers = ptr.To(false) }

// Root of a user namespace is not root of the kernel. The webhook rejects a node-level sysctl there, on every node.
func TestNodeLevelSysctlIsRejectedInAUserNamespace(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled())
	pod := newPod("node-level", "vm.max_map_count = 65540", inUserNamespace)
	_, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "UserNamespace") {
		t.Errorf("a pod of hostUsers: false with a node-level sysctl: %v, want UserNamespace", err)
	}
}

func TestUserNamespace(t *testing.T) {
	t.Parallel()
	assignments := []string{"net.core.somaxconn = 2048", "net.ipv4.ip_local_port_range = 32768 65535",
		"kernel.sem = 10000 1024000000 500 32000"}
	namespace := makeNamespace(t, enrolled())
	keepsHost(t, "net.core.somaxconn", "net.ipv4.ip_local_port_range", "kernel.sem")
	pod := run(t, namespace, newPod("namespaced", strings.Join(assignments, "\n"), inUserNamespace))
	if sc := pod.Spec.InitContainers[0].SecurityContext; sc.Privileged != nil ||
		!slices.Equal(sc.Capabilities.Add, []corev1.Capability{"NET_ADMIN"}) {
		t.Errorf("the injected container has the security context %+v, want no privilege and NET_ADMIN", sc)
	}
	wantValues(t, pod, app, assignments...)
	wantUnprivileged(t, pod, app, ordinary(t, inUserNamespace))
	output, err := inside(t, pod, app, "cat", "/proc/self/uid_map")
	if mapped := strings.Fields(output); err != nil || len(mapped) != 3 ||
		slices.Equal(mapped[:2], []string{"0", "0"}) {
		t.Errorf("the pod's users are mapped as %q, %v: want another user of the node as its root", output, err)
	}
}

func TestEverySysctlOfTheCatalogueInAUserNamespace(t *testing.T) {
	t.Parallel()
	setEverySysctl(t, inUserNamespace)
}

// Only the names that pods have, but pods in user namespaces lack, are rejected, with the reason.
func TestSysctlsThatUserNamespacesLackAreRejected(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled())
	lacking := map[string]bool{}
	for _, name := range offeredIn(t, run(t, namespace, newPod("ordinary", ""))) {
		if settable(sysctl.Lookup(name)) {
			lacking[name] = true
		}
	}
	for _, name := range offeredIn(t, run(t, namespace, newPod("reader", "", inUserNamespace))) {
		delete(lacking, name)
	}
	names := slices.Sorted(maps.Keys(lacking))
	t.Logf("%d names are not in a user namespace: %q", len(names), names)
	if len(names) == 0 {
		t.Error("a user namespace has every name: then none need be rejected")
	}
	for _, name := range names {
		pod := newPod("lacking", name+" = 1", inUserNamespace)
		_, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod,
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil || !strings.Contains(err.Error(), "AbsentInUserNamespace: ") {
			t.Errorf("%s in a user namespace: %v, want AbsentInUserNamespace", name, err)
		}
	}
}

// At baseline a pod that asks for IPC names needs no enrolment. It has grants, since the guard of a version before 1.35
// would ask for them.
func TestIPCNamesInAUserNamespaceAtBaseline(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled,
		api.EnforceLevelLabel: string(api.LevelBaseline)})
	keepsHost(t, "kernel.sem", "fs.mqueue.msg_max")
	pod := run(t, namespace, newPod("baseline", "kernel.sem = "+semaphores+"\nfs.mqueue.msg_max = 64", inUserNamespace))
	wantValues(t, pod, app, "kernel.sem = "+semaphores, "fs.mqueue.msg_max = 64")
	bindings, err := client.RbacV1().RoleBindings(namespace).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	var roles []string
	for _, b := range bindings.Items {
		roles = append(roles, b.RoleRef.Name)
	}
	slices.Sort(roles)
	if want := []string{"sysctl-injector:fs.mqueue.msg_max", "sysctl-injector:kernel.sem"}; !slices.Equal(roles, want) {
		t.Errorf("RoleBindings for %q, want %q", roles, want)
	}
	_, err = client.CoreV1().Pods(namespace).Create(t.Context(), newPod("network", "net.core.somaxconn = 1024",
		inUserNamespace), metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "NET_ADMIN") || !strings.Contains(err.Error(),
		"sysctl-injector enroll") {
		t.Errorf("a net.* name: %v, want what Pod Security rejects and how to enroll", err)
	}
}

// The injected process reports its own privilege. Its image is pinned by a digest, which the webhook and the guard
// accept.
func TestInjectedProcess(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, enrolled())
	keepsHost(t, "vm.swappiness", "kernel.sem", "net.core.somaxconn")
	image := images.Busybox + "@" + pinReporter(t)
	for _, test := range []struct{ name, sysctls, capabilities string }{
		{"ipc", "kernel.sem = " + semaphores, "0000000000000000"},
		{"network", "net.core.somaxconn = 2048", "0000000000001000"}, // CAP_NET_ADMIN is 12
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pod := run(t, namespace, newPod(test.name, test.sysctls, inUserNamespace, func(pod *corev1.Pod) {
				pod.Spec.InitContainers = []corev1.Container{{Name: v1alpha1.ContainerName, Image: image}}
			}))
			wantValues(t, pod, app, test.sysctls)
			report, err := command(t, "kubectl", "logs", "-n", namespace, pod.Name, "-c", v1alpha1.ContainerName)
			if err != nil {
				t.Fatal(err, report)
			}
			for _, want := range []string{
				"CapPrm:\t" + test.capabilities, "CapEff:\t" + test.capabilities, "CapBnd:\t" + test.capabilities,
				"CapInh:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
				"processes: /proc/1",
			} {
				if !slices.Contains(strings.Split(report, "\n"), want) {
					t.Errorf("the injected process does not report %q", want)
				}
			}
			if !strings.Contains(report, "sysctl: error setting key 'vm.swappiness'") {
				t.Error("the injected process can write a sysctl of the node")
			}
			if t.Failed() {
				t.Log(report)
			}
		})
	}
}

// pinReporter gives the reporting image the name of the injected one with its own digest, as a registry would, and
// returns the digest.
func pinReporter(t *testing.T) string {
	t.Helper()
	list := onNode(t, "ctr", "--namespace=k8s.io", "images", "ls", "name=="+images.Reporter)
	digest := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(list)
	if digest == "" {
		t.Fatalf("the node lacks %s:\n%s", images.Reporter, list)
	}
	repository, _, _ := strings.Cut(images.Busybox, ":")
	onNode(t, "ctr", "--namespace=k8s.io", "images", "tag", "--force", images.Reporter, repository+"@"+digest)
	return digest
}

// A container with a shell and the security context of the injected one tries to do more than set sysctls. Its
// namespace is not enrolled, because the guard rejects exec into the injected container.
func TestPrivilegeOfTheContainerInAUserNamespace(t *testing.T) {
	t.Parallel()
	namespace := makeNamespace(t, nil)
	keepsHost(t, "vm.swappiness", "kernel.sem", "net.core.somaxconn")
	for _, test := range []struct{ template, capabilities string }{
		{"user-namespace", "0000000000000000"},
		{"user-namespace-net", "0000000000001000"}, // CAP_NET_ADMIN is 12
	} {
		t.Run(test.template, func(t *testing.T) {
			t.Parallel()
			var same corev1.Container
			must(t, templates.Decode(templates.Forms, "forms/"+test.template+".yaml", &same))
			pod := newPod(test.template, "", inUserNamespace)
			pod.Spec.Containers = []corev1.Container{{Name: app, Image: images.App,
				SecurityContext: same.SecurityContext}}
			pod = run(t, namespace, pod)
			status, err := inside(t, pod, app, "grep", "-E", "^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp):",
				"/proc/self/status")
			want := "CapPrm:\t" + test.capabilities + "\nCapEff:\t" + test.capabilities + "\nCapBnd:\t" +
				test.capabilities + "\nNoNewPrivs:\t1\nSeccomp:\t2"
			if err != nil || status != want {
				t.Errorf("its process has, %v:\n%s\nwant\n%s", err, status, want)
			}
			if output, err := inside(t, pod, app, "sysctl", "-w", "kernel.sem=1000 32000 32 128"); err != nil {
				t.Errorf("it cannot set a name of its IPC namespace: %v: %s", err, output)
			}
			output, err := inside(t, pod, app, "sysctl", "-w", "net.core.somaxconn=1000")
			if can := err == nil; can != (test.template == "user-namespace-net") {
				t.Errorf("it can set a name of its network namespace: %t: %s", can, output)
			}
			for _, attempt := range [][]string{
				{"sysctl", "-w", "vm.swappiness=1"},
				{"sysctl", "-w", "kernel.core_pattern=x"},
				{"sh", "-c", "echo b >/proc/sysrq-trigger"},
				{"cat", "/proc/kcore"},
				{"mount", "-t", "tmpfs", "none", "/tmp"},
			} {
				if output, err := inside(t, pod, app, attempt...); err == nil {
					t.Errorf("%q works: %s", attempt, output)
				}
			}
			if mapped, err := inside(t, pod, app, "cat", "/proc/self/uid_map"); err != nil ||
				strings.HasPrefix(strings.Join(strings.Fields(mapped), " "), "0 0 ") {
				t.Errorf("its users are mapped as %q, %v: want another user of the node as its root", mapped, err)
			}
			if processes, err := inside(t, pod, app, "ls", "/proc"); err != nil || len(pids(processes)) > 3 {
				t.Errorf("it sees the processes %q, %v", pids(processes), err)
			}
		})
	}
}

// pids returns the numbers among words.
func pids(words string) []string {
	return slices.DeleteFunc(strings.Fields(words),
		func(word string) bool { return strings.Trim(word, "0123456789") != "" })
}

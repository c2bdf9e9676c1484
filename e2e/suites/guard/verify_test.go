package guard_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"

	"github.com/sysctl-injector/sysctl-injector/templates"
)

func script(text string) []string { return []string{"sh", "-ec", text, "sysctl-injector"} }

// verifying is a pod whose sysctls are verified. It is created without a dry run, and nothing is granted for it.
func verifying(args ...string) *corev1.Pod {
	pod := plainPod()
	pod.Name, pod.GenerateName = "", "pod-"
	pod.Spec.ServiceAccountName = "default"
	pod.Spec.InitContainers = []corev1.Container{oursOf("verify", args...)}
	pod.Spec.InitContainers[0].Command = script(templates.VerifyScript)
	return pod
}

// The container that verifies is admitted for every name without a grant, and by Pod Security itself at restricted.
func TestGuardAdmitsVerification(t *testing.T) {
	for name, of := range map[string]labels{
		"the guard at baseline": held(api.LevelBaseline), "the guard at restricted": held(api.LevelRestricted),
		"Pod Security at restricted": {api.EnforceLevelLabel: string(api.LevelRestricted)},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t, of)
			pod := verifying("vm.max_map_count>=262144", "net.core.netdev_max_backlog=1000",
				"-net.netfilter.nf_conntrack_max=1", "kernel.sem=1 2 3 4")
			for _, class := range []*string{nil, new("kata")} {
				pod.Spec.RuntimeClassName = class
				_, err := clientset(t).CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
				if got := verdict(err); got != "" {
					t.Error(got)
				}
			}
		})
	}
}

// Floors, and names that a kernel may lack, are set by a script. It is a constant.
func TestGuardAdmitsTheScript(t *testing.T) {
	for _, level := range levels {
		namespace := newNamespace(t, held(level))
		for _, test := range []struct {
			name           string
			serviceAccount string
			container      corev1.Container
			want           string // part of the message; none if the pod is admitted
		}{
			{"granted", "granted", ours("net.core.somaxconn>=1024", "-kernel.sem=1 2 3 4",
				"net.ipv4.ip_local_port_range=1024 65000"), ""},
			{"not granted", "default", ours("net.core.somaxconn>=1024"), `sysctl "net.core.somaxconn" is not granted`},
			{"not granted, behind a -", "default", ours("-net.core.somaxconn=1024"),
				`sysctl "net.core.somaxconn" is not granted`},
			{"node-level", "granted", ours("vm.max_map_count>=262144"),
				`must not set "vm.max_map_count" without a RuntimeClass`},
		} {
			t.Run(fmt.Sprintf("%s: %s", level, test.name), func(t *testing.T) {
				pod := plainPod()
				pod.Name, pod.GenerateName = "", "pod-"
				pod.Spec.ServiceAccountName = test.serviceAccount
				test.container.Command = script(templates.SetScript)
				pod.Spec.InitContainers = []corev1.Container{test.container}
				_, err := clientset(t).CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
				if got := verdict(err); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
					t.Errorf("got  %s\nwant …%s…", got, test.want)
				}
			})
		}
	}
}

// Attempts to make a script do more than it should.
func TestGuardBypassOfScripts(t *testing.T) {
	const different = "is not as the webhook writes it, it differs in "
	namespace := newNamespace(t, held(api.LevelBaseline))
	for _, test := range []struct {
		name  string
		tweak func(*corev1.Container) // of the privileged container with its script
		want  string
	}{
		{"another script", func(c *corev1.Container) { c.Command = script("id") }, different + "command"},
		{"the script and more", func(c *corev1.Container) { c.Command = script(templates.SetScript + "\nid") },
			different + "command"},
		{"the other script", func(c *corev1.Container) { c.Command = script(templates.VerifyScript) },
			different + "command"},
		{"another shell", func(c *corev1.Container) { c.Command[0] = "ash" }, different + "args, command"},
		{"other options", func(c *corev1.Container) { c.Command[1] = "-c" }, different + "command"},
		{"another name for the script", func(c *corev1.Container) { c.Command[3] = "x" }, different + "command"},
		{"no name for the script", func(c *corev1.Container) { c.Command = c.Command[:3] }, different + "command"},
		{"a word more", func(c *corev1.Container) { c.Command = append(c.Command, "net.core.somaxconn=1") },
			different + "command"},
		{"a floor without the script", func(c *corev1.Container) { c.Command = []string{"sysctl", "-w"} },
			different + "args"},
		{"a command in an argument", func(c *corev1.Container) { c.Args = []string{"net.core.somaxconn>=$(id)"} },
			different + "args"},
		{"a path in an argument", func(c *corev1.Container) { c.Args = []string{"-kernel/../../etc/x=1"} },
			different + "args"},
		{"two operators", func(c *corev1.Container) { c.Args = []string{"net.core.somaxconn>>=1"} },
			different + "args"},
		{"another operator", func(c *corev1.Container) { c.Args = []string{"net.core.somaxconn<=1"} },
			different + "args"},
		{"the same name twice, spelt in two ways", func(c *corev1.Container) {
			c.Args = []string{"net.core.somaxconn=1",
				"-net.core.somaxconn>=2"}
		}, different + "args"},
		{"the verifying script with privilege", func(c *corev1.Container) { *c = privilegedVerification() },
			different + "command"},
		{"the verifying script with privilege, as nobody", func(c *corev1.Container) {
			*c = privilegedVerification()
			c.SecurityContext.RunAsUser = new(int64(65534))
		}, different + "securityContext"},
		{"the setting script without privilege", func(c *corev1.Container) {
			*c = oursOf("verify", "net.core.somaxconn=1")
			c.Command = script(templates.SetScript)
		}, different + "command"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pod := attacked()
			container := &pod.Spec.InitContainers[0]
			container.Command, container.Args = script(templates.SetScript), []string{"net.core.somaxconn>=1024"}
			test.tweak(container)
			if got := verdict(createIn(t, namespace, pod)); !strings.Contains(got, test.want) {
				t.Errorf("got  %s\nwant …%s…", got, test.want)
			}
		})
	}
}

// privilegedVerification is the container that verifies, but privileged.
func privilegedVerification() corev1.Container {
	container := oursOf("verify", "vm.max_map_count=1")
	container.Command = script(templates.VerifyScript)
	container.SecurityContext = ours().SecurityContext
	return container
}

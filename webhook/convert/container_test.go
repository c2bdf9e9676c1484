package convert

import (
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

func TestCommands(t *testing.T) {
	for _, test := range []struct {
		name, image string
		command     []string
		want        string
	}{
		{"no shell", "busybox", []string{"sysctl", "-w", "net.core.somaxconn=1024",
			"net.ipv4.ip_local_port_range=1024 65000"},
			"net.core.somaxconn = 1024; net.ipv4.ip_local_port_range = 1024 65000"},
		{"a path", "example.com/x", []string{"/sbin/sysctl", "-w", "net.core.somaxconn=1024"},
			"net.core.somaxconn = 1024"},
		{"busybox by its name", "example.com/x",
			[]string{"/bin/busybox", "sysctl", "-w", "net.core.somaxconn=1024"}, ""},
		{"options of the shell", "busybox",
			[]string{"/bin/sh", "-exc", "sysctl -w net.core.netdev_max_backlog=1; true"},
			"stays: line 1: net.core.netdev_max_backlog: a pod does not have it or may not write it, so the script " +
				"fails there and the pod never starts"},
		{"options of the shell in several words", "busybox",
			[]string{"sh", "-c", "-e", "sysctl -w net.core.somaxconn=1024"},
			"net.core.somaxconn = 1024"},
		{"arguments of the script", "busybox", []string{"sh", "-c", `sysctl -w "$@"`, "sh", "net.core.somaxconn=1",
			"net.ipv4.tcp_fin_timeout=9"},
			"net.core.somaxconn = 1; net.ipv4.tcp_fin_timeout = 9"},
		{"a numbered argument of the script", "busybox",
			[]string{"sh", "-c", `sysctl -w net.core.somaxconn=$1`, "sh", "77"},
			"net.core.somaxconn = 77"},
		{"brackets of bash", "debian", []string{"bash", "-c",
			"if [[ $(cat /proc/sys/net/core/somaxconn) -lt 9 ]]; then echo 9 > /proc/sys/net/core/somaxconn; fi"},
			"net.core.somaxconn >= 9"},
		{"arithmetic of bash", "debian", []string{"bash", "-ec",
			"n=$(cat /proc/sys/net/core/somaxconn)\nif (( n < 9 )); then echo 9 > /proc/sys/net/core/somaxconn; fi"},
			"net.core.somaxconn >= 9"},
		{"brackets of bash in sh", "debian",
			[]string{"sh", "-c",
				"if [[ $(cat /proc/sys/net/core/somaxconn) -lt 9 ]]; then echo 9 > /proc/sys/net/core/somaxconn; fi"},
			"stays: line 1: not every sh supports [["},
		{"no bash in the image", "alpine", []string{"bash", "-c", "sysctl -w net.core.somaxconn=1024"},
			"stays: line 0: the image has no bash"},
		{"a login shell", "busybox", []string{"sh", "-lc", "sysctl -w net.core.somaxconn=1024"},
			"stays: line 0: the shell option l is not understood"},
		{"a script on a volume", "debian", []string{"/bin/sh", "/scripts/sysctl.sh"},
			`stays: line 0: it is privileged and it runs "/bin/sh /scripts/sysctl.sh", which is not analyzed`},
		{"another program", "example.com/x", []string{"/opt/setup"},
			`stays: line 0: it is privileged and it runs "/opt/setup", which is not analyzed`},
		{"no command, in an image with a shell", "busybox", nil, "nothing"},
		{"an empty command", "alpine:3.20", []string{}, "nothing"},
		{"no command, in another image", "example.com/x", nil,
			"stays: line 0: it is privileged and it runs the entrypoint of its image example.com/x, which is not " +
				"analyzed"},
		{"nothing to do with sysctls", "busybox", []string{"sh", "-c", "echo hello"}, "nothing"},
		{"a variable of the kubelet", "busybox", []string{"sh", "-c", "sysctl -w net.core.somaxconn=$(BACKLOG)"},
			"net.core.somaxconn = 2048"},
		{"a variable of the shell", "busybox", []string{"sh", "-c", "sysctl -w net.core.somaxconn=${BACKLOG}"},
			"net.core.somaxconn = 2048"},
		{"a variable of a ConfigMap", "busybox", []string{"sh", "-c", "sysctl -w net.core.somaxconn=$(OTHER)"},
			"stays: line 0: the kubelet expands a variable in the command, and its value is not in the manifest: " +
				"sysctl -w net.core.somaxconn=$(OTHER)"},
		{"$$ that the kubelet replaces by $", "busybox", []string{"sh", "-c",
			"A=5; sysctl -w net.core.somaxconn=$$A"}, "net.core.somaxconn = 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.want == "" {
				test.want = "net.core.somaxconn = 1024"
			}
			template := initContainer(test.image, test.command...)
			template.Spec.InitContainers[0].Env = []corev1.EnvVar{
				{Name: "BACKLOG", Value: "2048"},
				{
					Name:      "OTHER",
					ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{Key: "x"}},
				},
			}
			if diff := cmp.Diff(test.want, sketch(inspect(t, template))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestContainers(t *testing.T) {
	const script = "sysctl -w net.core.somaxconn=1024"
	withMount := func(template *corev1.PodTemplateSpec, host, at string, readOnly bool) {
		template.Spec.Volumes = []corev1.Volume{{Name: "v",
			VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: host}}}}
		template.Spec.InitContainers[0].VolumeMounts = []corev1.VolumeMount{
			{Name: "v", MountPath: at, ReadOnly: readOnly},
		}
		template.Spec.InitContainers[0].SecurityContext.Privileged = nil
		template.Spec.InitContainers[0].Command[2] = "echo 1024 > " + at + "/sys/net/core/somaxconn"
	}
	for _, test := range []struct {
		name   string
		change func(*corev1.PodTemplateSpec)
		want   string
	}{
		{"privileged", func(*corev1.PodTemplateSpec) {}, "net.core.somaxconn = 1024"},
		{"not privileged", func(p *corev1.PodTemplateSpec) { p.Spec.InitContainers[0].SecurityContext = nil },
			"stays: line 0: it is not privileged, so /proc/sys is read-only in it: either the pod never starts, or " +
				"the commands never had an effect"},
		{"another user", func(p *corev1.PodTemplateSpec) {
			p.Spec.InitContainers[0].SecurityContext.RunAsUser = ptr.To[int64](1000)
		},
			"stays: line 0: it runs as user 1000, which may not write sysctls: either the pod never starts, or the " +
				"commands never had an effect"},
		{"another user of the pod", func(p *corev1.PodTemplateSpec) {
			p.Spec.InitContainers[0].SecurityContext.RunAsUser = nil
			p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: ptr.To[int64](1000)}
		}, "stays: line 0: it runs as user 1000, which may not write sysctls: either the pod never starts, or the " +
			"commands never had an effect"},
		{"a user that the image decides, and a failure that is not ignored", func(p *corev1.PodTemplateSpec) {
			p.Spec.InitContainers[0].SecurityContext.RunAsUser = nil
			p.Spec.InitContainers[0].Image = "example.com/x"
		}, "net.core.somaxconn = 1024"},
		{"a user that the image decides, and an ignored failure", func(p *corev1.PodTemplateSpec) {
			p.Spec.InitContainers[0].SecurityContext.RunAsUser = nil
			p.Spec.InitContainers[0].Image = "example.com/x"
			p.Spec.InitContainers[0].Command[2] = "echo 1 > /proc/sys/net/core/somaxconn; true"
		}, "stays: line 0: it is not certain that the container may write /proc/sys (its user may not be root, or " +
			"something confines it); if it may not, " + goesOn},
		{"the node's /proc", func(p *corev1.PodTemplateSpec) { withMount(p, "/proc", "/host/proc", false) },
			"net.core.somaxconn = 1024"},
		{"the node's /proc, read-only", func(p *corev1.PodTemplateSpec) { withMount(p, "/proc", "/host/proc", true) },
			"stays: line 1: the script writes /host/proc/sys/net/core/somaxconn, which is on a volume"},
		{"the node's network", func(p *corev1.PodTemplateSpec) { p.Spec.HostNetwork = true },
			"stays: line 1: net.core.somaxconn belongs to the node, since the pod has hostNetwork: true"},
		{"runAsNonRoot", func(p *corev1.PodTemplateSpec) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true)}
		}, "stays: line 0: runAsNonRoot prevents the kubelet from starting it as root, and only root may " +
			"write sysctls"},
		{"another PATH", func(p *corev1.PodTemplateSpec) {
			p.Spec.InitContainers[0].Env = []corev1.EnvVar{{Name: "PATH", Value: "/opt"}}
		}, "stays: line 0: the variable PATH changes what the commands do"},
		{"no command, and a variable that names /proc/sys", func(p *corev1.PodTemplateSpec) {
			p.Spec.InitContainers[0].Command = nil
			p.Spec.InitContainers[0].Env = []corev1.EnvVar{{Name: "DIR", Value: "/proc/sys/net/core"}}
		}, "stays: line 0: it has no command, so the shell of its image reads the script from standard input"},
		{"CRLF line ends", func(p *corev1.PodTemplateSpec) { p.Spec.InitContainers[0].Command[2] += "\r\n" },
			"stays: line 0: the command has Windows line ends (CRLF), which become part of the words before them"},
		{"a sidecar", func(p *corev1.PodTemplateSpec) {
			p.Spec.InitContainers[0].RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
		}, "stays: line 0: it is a sidecar, which keeps running"},
		{"injection turned off", func(p *corev1.PodTemplateSpec) {
			p.Annotations = map[string]string{"sysctl-injector.dev/inject": "false"}
		}, "stays: line 0: annotation sysctl-injector.dev/inject turns sysctl-injector off for this pod"},
		{"the annotation has the same value", func(p *corev1.PodTemplateSpec) {
			p.Annotations = map[string]string{"sysctl-injector.dev/sysctls": "net/core/somaxconn=1024"}
		}, ""},
		{"the annotation has another value", func(p *corev1.PodTemplateSpec) {
			p.Annotations = map[string]string{"sysctl-injector.dev/sysctls": "net.core.somaxconn = 65535"}
		}, `stays: line 1: the annotation has "net.core.somaxconn = 65535", and the container, which runs later, ` +
			`sets "net.core.somaxconn = 1024": keep one of them`},
		{"ports that the pod sets natively, and an ignored failure", func(p *corev1.PodTemplateSpec) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{
				Sysctls: []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "3000"}},
			}
			p.Spec.InitContainers[0].Command[2] = "sysctl -w net.ipv4.ip_local_port_range='1024 65000'; true"
		}, "stays: line 1: it is not known whether every kernel takes net.ipv4.ip_local_port_range = 1024 65000; if " +
			"one does not, " + goesOn},
		{"a lifecycle hook", func(p *corev1.PodTemplateSpec) {
			p.Spec.InitContainers = nil
			p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{
				PostStart: &corev1.LifecycleHandler{
					Exec: &corev1.ExecAction{Command: []string{"sysctl", "-w", "net.core.somaxconn=1"}},
				},
			}
		}, "stays: line 0: one of its lifecycle hooks sets sysctls: sysctl -w net.core.somaxconn=1"},
		{"another container refers to it", func(p *corev1.PodTemplateSpec) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "CPU",
				ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: "tune",
					Resource: "limits.cpu"}}}}
		}, `stays: line 0: variable CPU of container "app" refers to its resources`},
	} {
		t.Run(test.name, func(t *testing.T) {
			template := initContainer("busybox", "sh", "-c", script)
			test.change(template)
			if diff := cmp.Diff(test.want, sketch(inspect(t, template))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestOrder tests a container that runs after one that is not converted.
func TestOrder(t *testing.T) {
	const opaque = `stays: line 1: container "first" runs before it and stays; it may set net.core.somaxconn too, and ` +
		`it would run after the annotation`
	const named = `stays: line 1: container "first", which runs before it and stays, names net.core.somaxconn too, ` +
		`and would run after the annotation`
	const stays = "echo never > /host-sys/kernel/mm/transparent_hugepage/enabled; "
	for _, test := range []struct{ name, before, script, want string }{
		{"a name from a loop", stays + "for k in somaxconn; do sysctl -w net.core.$k=128; done",
			"sysctl -w net.core.somaxconn=1", opaque},
		{"a directory in a variable", stays + "d=/proc/sys/net/core; echo 128 > $d/somaxconn",
			"sysctl -w net.core.somaxconn=1", opaque},
		{"a name in two parts", stays + `sysctl -w net.core."somaxconn"=128`, "sysctl -w net.core.somaxconn=1", named},
		{"a path below the node's /proc", stays + "echo 128 > /host/proc/sys/net/core/somaxconn",
			"sysctl -w net.core.somaxconn=1", named},
		{"a value in a variable", stays + "n=128; sysctl -w net.ipv4.tcp_fin_timeout=$n",
			"sysctl -w net.core.somaxconn=1", "net.core.somaxconn = 1"},
		{"a container without rights", "", "sysctl -w net.core.somaxconn=1", "net.core.somaxconn = 1"},
		{"another name", "nsenter -t 1 -n sysctl -w net.ipv4.conf.all.rp_filter=0", "sysctl -w net.core.somaxconn=1",
			"net.core.somaxconn = 1"},
		{"the same name", "nsenter -t 1 -n sysctl -w net.core.somaxconn=5", "sysctl -w net.core.somaxconn=1",
			`stays: line 1: container "first", which runs before it and stays, names net.core.somaxconn too, and ` +
				`would run after the annotation`},
		{"an unknown file", "sysctl -p /etc/own.conf", "sysctl -w net.core.somaxconn=1",
			`stays: line 1: container "first" runs before it and stays; it may set net.core.somaxconn too, and it ` +
				`would run after the annotation`},
		{"an unknown program", "python3 setup.py", "sysctl -w net.core.somaxconn=1",
			`stays: line 1: container "first" runs before it and stays; it may set net.core.somaxconn too, and it ` +
				`would run after the annotation`},
		{"a program in another root", "chroot /host /opt/tune", "sysctl -w net.core.somaxconn=1",
			`stays: line 1: container "first" runs before it and stays; it may set net.core.somaxconn too, and it ` +
				`would run after the annotation`},
		{"an interface that it creates", "ip link add vxlan7 type vxlan id 7 dev eth0",
			"sysctl -w net.ipv4.conf.vxlan7.rp_filter=0",
			`stays: line 1: net.ipv4.conf.vxlan7.rp_filter: container "first" runs before it and may create the ` +
				`interface vxlan7, which does not exist yet when the annotation is applied`},
		{"a default that new interfaces copy", "ip link add vxlan7 type vxlan id 7 dev eth0",
			"sysctl -w net.ipv4.conf.default.rp_filter=0",
			`stays: line 1: net.ipv4.conf.default.rp_filter: container "first" runs before it, stays, and may create ` +
				`interfaces, which copy such values when they are created`},
	} {
		t.Run(test.name, func(t *testing.T) {
			template := initContainer("busybox", "sh", "-c", test.script)
			first := corev1.Container{
				Name:    "first",
				Image:   "example.com/tools",
				Command: []string{"sh", "-c", test.before},
			}
			if test.before != "" {
				first.SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)}
			}
			template.Spec.InitContainers = append([]corev1.Container{first}, template.Spec.InitContainers...)
			result := inspect(t, template)
			result.Findings = result.Findings[len(result.Findings)-1:]
			if diff := cmp.Diff(test.want, sketch(result)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestOrderAfterTheNodesProc tests a container that runs after one that can only write sysctls through a volume.
func TestOrderAfterTheNodesProc(t *testing.T) {
	for _, test := range []struct {
		path, want string
		readOnly   bool
	}{
		{"/proc", `stays: line 0: container "first" runs before it and stays; it may set net.core.somaxconn too, and it ` +
			`would run after the annotation`, false},
		{"/proc", "net.core.somaxconn = 1", true},
		{"/var", "net.core.somaxconn = 1", false},
	} {
		template := initContainer("busybox", "sysctl", "-w", "net.core.somaxconn=1")
		template.Spec.Volumes = []corev1.Volume{{Name: "v",
			VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: test.path}}}}
		template.Spec.InitContainers = append([]corev1.Container{{Name: "first", Image: "example.com/tools",
			VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/host", ReadOnly: test.readOnly}},
		}}, template.Spec.InitContainers...)
		result := inspect(t, template)
		result.Findings = result.Findings[len(result.Findings)-1:]
		if diff := cmp.Diff(test.want, sketch(result)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.path, diff)
		}
	}
}

// TestOperations converts two of three init containers and checks the result.
func TestOperations(t *testing.T) {
	const before = `{
	"metadata": {"annotations": {
		"container.apparmor.security.beta.kubernetes.io/one": "unconfined",
		"container.apparmor.security.beta.kubernetes.io/app": "unconfined",
		"kubectl.kubernetes.io/default-container": "one",
		"vault.hashicorp.com/agent-inject-containers": "app,one"
	}},
	"spec": {
		"initContainers": [
			{"name": "one", "image": "busybox", "command": ["sysctl", "-w", "net.core.somaxconn=1"],
				"securityContext": {"privileged": true},
				"volumeMounts": [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/b"}]},
			{"name": "other", "image": "busybox", "command": ["true"],
				"volumeMounts": [{"name": "b", "mountPath": "/b"}]},
			{"name": "two", "image": "busybox",
				"command": ["sh", "-c", "sysctl -w net.core.somaxconn=2 net.ipv4.tcp_fin_timeout=9"],
				"securityContext": {"privileged": true}}
		],
		"containers": [{"name": "app", "image": "a"}],
		"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]
	}}`
	const want = `{
	"metadata": {"annotations": {
		"container.apparmor.security.beta.kubernetes.io/app": "unconfined",
		"sysctl-injector.dev/sysctls": "net.core.somaxconn = 2\nnet.ipv4.tcp_fin_timeout = 9\n",
		"vault.hashicorp.com/agent-inject-containers": "app,one"
	}},
	"spec": {
		"initContainers": [
			{"name": "other", "image": "busybox", "command": ["true"],
				"volumeMounts": [{"name": "b", "mountPath": "/b"}]}
		],
		"containers": [{"name": "app", "image": "a"}],
		"volumes": [{"name": "b", "emptyDir": {}}]
	}}`
	result, err := Inspect([]byte(before), Kernel{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := result.Apply([]byte(before))
	if err != nil {
		t.Fatal(err)
	}
	if !jsonpatch.Equal(after, []byte(want)) {
		t.Errorf("got %s\nwant %s", after, strings.ReplaceAll(want, "\t", ""))
	}
	warnings := []string{
		`annotation vault.hashicorp.com/agent-inject-containers may still refer to the removed container "one"`,
	}
	if diff := cmp.Diff(warnings, result.Warnings); diff != "" {
		t.Errorf("warnings (-want +got)\n%s", diff)
	}
	if again, err := Inspect(after, Kernel{}); err != nil || again.Changes() {
		t.Errorf("a second conversion changes something: %v %+v", err, again)
	}
}

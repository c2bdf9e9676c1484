package inspect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/templates"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
	"github.com/sysctl-injector/sysctl-injector/webhook/pod"
)

func TestViolations(t *testing.T) {
	privileged := &corev1.SecurityContext{Privileged: new(true)}
	var ours corev1.Container
	if err := templates.Decode(templates.Forms, "forms/privileged.yaml", &ours); err != nil {
		t.Fatal(err)
	}
	ours.Args = []string{"net.core.somaxconn=1024"}
	with := func(change func(*corev1.Container)) corev1.PodSpec {
		changed := *ours.DeepCopy()
		change(&changed)
		return corev1.PodSpec{
			InitContainers: []corev1.Container{changed},
			Containers:     []corev1.Container{{Name: "web"}},
		}
	}
	app := corev1.Container{Name: "web"}
	workloads := []Workload{
		{Kind: "Pod", Name: "plain", Spec: corev1.PodSpec{Containers: []corev1.Container{app}}},
		{Kind: "Pod", Name: "injected", Spec: corev1.PodSpec{InitContainers: []corev1.Container{ours},
			Containers: []corev1.Container{app}}},
		{Kind: "DaemonSet", Name: "agent", Spec: corev1.PodSpec{HostNetwork: true,
			InitContainers: []corev1.Container{{Name: "setup", SecurityContext: privileged}},
			Containers:     []corev1.Container{app}}},
		{Kind: "Pod", Name: "second", Spec: corev1.PodSpec{InitContainers: []corev1.Container{{Name: "first"}, ours},
			Containers: []corev1.Container{app}}},
	}
	for _, w := range []struct {
		name   string
		change func(*corev1.Container)
	}{
		{"other command", func(c *corev1.Container) { c.Command = []string{"sh", "-c"} }},
		{"other image", func(c *corev1.Container) { c.Image = "docker.io/library/busybox:1.36-evil" }},
		{"other args", func(c *corev1.Container) { c.Args = []string{"-p", "/etc/shadow"} }},
		{"more mounts",
			func(c *corev1.Container) { c.VolumeMounts = []corev1.VolumeMount{{Name: "a", MountPath: "/a"}} }},
		{"more capabilities", func(c *corev1.Container) {
			c.SecurityContext.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}}
		}},
		{"with what the API server adds", func(c *corev1.Container) {
			c.Image += "@sha256:" + strings.Repeat("0", 64)
			c.TerminationMessagePath, c.ImagePullPolicy, c.Resources = corev1.TerminationMessagePathDefault,
				corev1.PullAlways, corev1.ResourceRequirements{}
			c.SecurityContext.ProcMount = new(corev1.DefaultProcMount)
			c.VolumeMounts = []corev1.VolumeMount{
				{Name: "kube-api-access", ReadOnly: true, MountPath: pod.TokenMountPath},
			}
		}},
	} {
		workloads = append(workloads, Workload{Kind: "Pod", Name: w.name, Spec: with(w.change)})
	}
	images := []string{ours.Image}
	const unconfined = `: forbidden AppArmor profile ` +
		`(container "sysctl-injector" must not set AppArmor profile type to "Unconfined"), `
	const asPrivileged = unconfined +
		`privileged (container "sysctl-injector" must not set securityContext.privileged=true)`
	tests := []struct {
		level string
		want  []string
	}{
		{"privileged", nil},
		{"baseline", []string{
			`DaemonSet "agent": host namespaces (hostNetwork=true), privileged (container "setup" must not set ` +
				`securityContext.privileged=true)`,
			`Pod "second"` + asPrivileged,
			`Pod "other command"` + asPrivileged,
			`Pod "other image"` + asPrivileged,
			`Pod "other args"` + asPrivileged,
			`Pod "more mounts"` + asPrivileged,
			`Pod "more capabilities"` + unconfined +
				`non-default capabilities (container "sysctl-injector" must not include "SYS_ADMIN" in ` +
				`securityContext.capabilities.add), privileged (container "sysctl-injector" must not set ` +
				`securityContext.privileged=true)`,
		}},
	}
	for _, test := range tests {
		t.Run(test.level, func(t *testing.T) {
			violations, err := Violations(workloads, test.level, "v1.37.2", Exceptions{Images: images})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range violations {
				got = append(got, v.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	restricted, err := Violations(workloads, "restricted", "v1.37.2", Exceptions{Images: images})
	if err != nil || len(restricted) != len(workloads) {
		t.Errorf("restricted objects to %d of %d, %v", len(restricted), len(workloads), err)
	}
	if _, err := Violations(workloads, "strict", "v1.37.2", Exceptions{Images: images}); err == nil ||
		err.Error() != "must be one of privileged, baseline, restricted" {
		t.Errorf("got %v", err)
	}
}

// The standards differ between versions of Kubernetes, and the guard has those of the cluster.
func TestViolationsByVersion(t *testing.T) {
	guest := &corev1.SecurityContext{ProcMount: new(corev1.UnmaskedProcMount)}
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: "127.0.0.1"}}}
	workloads := []Workload{
		{Kind: "Deployment", Name: "buffers", Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "net.ipv4.tcp_rmem"}}},
			Containers:      []corev1.Container{{Name: "web"}}}},
		{Kind: "Deployment", Name: "nested", Spec: corev1.PodSpec{HostUsers: new(false),
			Containers: []corev1.Container{{Name: "web", SecurityContext: guest}}}},
		{Kind: "Deployment", Name: "probed", Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "web", LivenessProbe: probe}}}},
	}
	for _, test := range []struct {
		kubernetes string
		want       []string
	}{
		{"v1.31.14", []string{"buffers", "nested"}},
		{"v1.32.0-eks-1a2b3c", []string{"nested"}},
		{"v1.33.5", []string{"nested"}},
		{"v1.34.1", []string{"nested", "probed"}},
		{"v1.35.0", []string{"probed"}},
		{"v1.37.2", []string{"probed"}},
		{"v1.38.0", []string{"probed"}}, // as the newest known version
		{"unknown", []string{"probed"}},
	} {
		t.Run(test.kubernetes, func(t *testing.T) {
			violations, err := Violations(workloads, "baseline", test.kubernetes, Exceptions{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range violations {
				got = append(got, v.Workload.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The guard admits a native sysctl that the webhook has written, and no other.
func TestViolationsOfNativeSysctls(t *testing.T) {
	const written, asks = `{"native":["net.core.somaxconn=8"]}`, "net.core.somaxconn = 8"
	for _, test := range []struct {
		name, value, asks, status string
		admitted                  bool
	}{
		{"written by the webhook", "8", asks, written, true},
		{"with another value", "9", asks, written, false},
		{"without a status", "8", asks, "", false},
		{"with a status of the author's own", "8", "", written, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := Workload{Kind: "Pod", Name: "web", Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web"}},
				SecurityContext: &corev1.PodSecurityContext{
					Sysctls: []corev1.Sysctl{{Name: "net.core.somaxconn", Value: test.value}}}}}
			w.Metadata.Annotations = map[string]string{v1alpha1.StatusAnnotation: test.status}
			if test.asks != "" {
				w.Metadata.Annotations[v1alpha1.SysctlsAnnotation] = test.asks
			}
			for _, declared := range []bool{true, false} {
				var exceptions Exceptions
				if declared {
					exceptions.KubeletSysctls = []string{"kernel.sem", "net.core.*"}
				}
				violations, err := Violations([]Workload{w}, "baseline", "v1.37.2", exceptions)
				if err != nil || len(violations) == 0 != (test.admitted && declared) {
					t.Errorf("declared %t: %v, %v", declared, violations, err)
				}
			}
			if len(w.Spec.SecurityContext.Sysctls) != 1 {
				t.Error("the workload is changed")
			}
		})
	}
}

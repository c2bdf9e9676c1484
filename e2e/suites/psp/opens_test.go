package psp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/cluster/clustertest"
)

// asks are attempts of a pod whose service account may set net.core.somaxconn, and whether they succeed if it may by
// the article's way, by the annotation, and natively.
var asks = []struct {
	name                        string
	article, annotation, native bool
	tweak                       func(*corev1.PodSpec)
}{
	{"the sysctl itself, natively", true, true, true, func(spec *corev1.PodSpec) {
		spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: unsafe, Value: "512"}}}
	}},
	{"another sysctl, natively", true, false, false, func(spec *corev1.PodSpec) {
		spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "kernel.msgmax",
			Value: "65536"}}}
	}},
	{"the node's network", true, false, false, func(spec *corev1.PodSpec) { spec.HostNetwork = true }},
	{"the node's processes", true, false, false, func(spec *corev1.PodSpec) { spec.HostPID = true }},
	{"the node's IPC namespace", true, false, false, func(spec *corev1.PodSpec) { spec.HostIPC = true }},
	{"the node's files", true, false, false, func(spec *corev1.PodSpec) {
		spec.Volumes = []corev1.Volume{{Name: "root",
			VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
	}},
	{"a port of the node", true, false, false, func(spec *corev1.PodSpec) {
		spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: 80}}
	}},
	{"a capability", true, false, false, func(spec *corev1.PodSpec) {
		spec.Containers[0].SecurityContext = &corev1.SecurityContext{
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}}}
	}},
	// A PodSecurityPolicy cannot single out one container.
	{"a privileged container of its own", true, true, false, func(spec *corev1.PodSpec) {
		spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	}},
}

// TestPrivilegesThatEachWayAdmits compares the policies for three ways to set a sysctl: the article's init container,
// which needs the ClusterRole "privileged" for its service account, the annotation, and the native sysctl.
func TestPrivilegesThatEachWayAdmits(t *testing.T) {
	const namespace = "opens"
	newNamespace(t, namespace, "article", "annotation", "native")

	article := liberty(namespace, "article", "article", func(template *corev1.PodTemplateSpec) {
		template.Spec.InitContainers = []corev1.Container{{
			Name: "sysctl", Image: "busybox", SecurityContext: &corev1.SecurityContext{Privileged: new(true)},
			Command: []string{"sh", "-c",
				`sysctl -w net.core.somaxconn=32768; sysctl -w net.ipv4.ip_local_port_range="32768 65535"`},
		}}
	})
	deploy(t, article)
	expectRejection(t, article,
		"spec.initContainers[0].securityContext.privileged: Invalid value: true: Privileged containers are not allowed")
	admin, dev := clients(t)
	clustertest.Bind(t, admin, namespace, "privileged",
		rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "article"})

	annotation := liberty(namespace, "annotation", "annotation", annotated(unsafe+" = 512"))
	deploy(t, annotation)

	natively := liberty(namespace, "native", "native", native(unsafe, "512"))
	_, err := suite.Cluster(t).Kubectl(t.Context(), string(companion(t, natively, "-f", "-")), "apply", "-f", "-")
	must(t, err)
	deploy(t, natively)

	policies := map[string]string{
		"article":    admittedPod(t, article).Annotations[usedPolicy],
		"annotation": admittedPod(t, annotation).Annotations[usedPolicy],
		"native":     admittedPod(t, natively).Annotations[usedPolicy],
	}
	want := map[string]string{
		"article":    "privileged",
		"annotation": "sysctl-injector-net.core.somaxconn-injected",
		"native":     "sysctl-injector-net.core.somaxconn",
	}
	if diff := cmp.Diff(want, policies); diff != "" {
		t.Errorf("the policies that admitted the pods (-want +got):\n%s", diff)
	}

	for _, ask := range asks {
		for account, admitted := range map[string]bool{"article": ask.article, "annotation": ask.annotation,
			"native": ask.native} {
			t.Run(ask.name+": "+account, func(t *testing.T) {
				pod := &corev1.Pod{
					ObjectMeta: metav1.ObjectMeta{Name: "asks", Namespace: namespace},
					Spec: corev1.PodSpec{ServiceAccountName: account,
						Containers: []corev1.Container{{Name: "app", Image: "app"}}},
				}
				ask.tweak(&pod.Spec)
				_, err := dev.CoreV1().Pods(namespace).Create(t.Context(), pod,
					metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
				if (err == nil) != admitted {
					t.Errorf("admitted: %t, want %t: %v", err == nil, admitted, err)
				}
			})
		}
	}
}

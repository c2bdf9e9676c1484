// Package workload is what benchmarks have an API server create.
package workload

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// Sysctls are the lines of a pod's annotation.
var Sysctls = []string{"net.core.somaxconn = 32768", "net.ipv4.ip_local_port_range = 32768 65535"}

// NewPod is of the size that small pods have.
func NewPod(annotated bool) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "web-", Labels: map[string]string{"app.kubernetes.io/name": "web",
				"pod-template-hash": "5d69f9bd4c"},
			Annotations: map[string]string{"example.com/checksum": strings.Repeat("0123456789abcdef", 4)},
		},
		Spec: corev1.PodSpec{
			SchedulerName: "nobody", // so that no scheduler is at work beside
			Containers: []corev1.Container{{
				Name: "web", Image: "nginx:1.29",
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				Env: []corev1.EnvVar{{Name: "POD_NAME",
					ValueFrom: &corev1.EnvVarSource{
						FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false), RunAsNonRoot: ptr.To(true),
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
	if annotated {
		pod.Annotations[v1alpha1.SysctlsAnnotation] = strings.Join(Sysctls, "\n") + "\n"
	}
	return pod
}

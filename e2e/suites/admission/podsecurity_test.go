package admission_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// Pod Security has no exemption for one container of a pod. If it would reject our container, the webhook rejects the
// pod first and says what to do.
func TestPodSecurity(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"baseline", "restricted"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			labels := map[string]string{"pod-security.kubernetes.io/enforce": level}
			for key, value := range enrolled {
				labels[key] = value
			}
			namespace := makeNamespace(t, labels)
			k := newTerminal(t, namespace)
			pod := newPod("web", "")
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
			pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(bool),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}
			k.must(manifest(t, pod), "create", "--dry-run=server", "-f", "-")
			asking := newPod("web", "net.core.somaxconn = 1024")
			asking.Spec = pod.Spec
			k.fails(denied("PodSecurity: "+annotation+`Forbidden: namespace "`+namespace+`" is held to Pod Security "`+
				level+`", which rejects the privileged init container that would set them; `+
				"an administrator can enroll it for that container alone: sysctl-injector enroll "+namespace+
				" --enforce "+level), manifest(t, asking), "create", "-f", "-")
		})
	}
}

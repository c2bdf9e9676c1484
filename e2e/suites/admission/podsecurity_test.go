package admission_test

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
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

// A namespace may pin an older version of the standard, in which fewer sysctls are safe. A pod gets no native sysctl
// that Pod Security rejects there.
func TestPinnedPodSecurity(t *testing.T) {
	t.Parallel()
	for version, isSafe := range map[string]bool{"v1.26": false, "v1.27": true, "latest": true} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			labels := map[string]string{"pod-security.kubernetes.io/enforce": "baseline",
				"pod-security.kubernetes.io/enforce-version": version}
			maps.Copy(labels, enrolled)
			namespace := makeNamespace(t, labels)
			const name = "net.ipv4.ip_local_reserved_ports" // safe since Kubernetes 1.27
			pod := newPod("web", name+" = 8080")
			pod.Annotations[v1alpha1.StrategyAnnotation] = "native-first"
			k := newTerminal(t, namespace)
			if !isSafe {
				k.fails(denied("PodSecurity: "+annotation+`Forbidden: namespace "`+namespace+`" is held to Pod `+
					`Security "baseline", which rejects the privileged init container that would set them; `+
					"an administrator can enroll it for that container alone: sysctl-injector enroll "+namespace+
					" --enforce baseline"), manifest(t, pod), "create", "-f", "-")
				return
			}
			k.must(manifest(t, pod), "create", "-f", "-")
			created := getPod(t, namespace, "web")
			if security := created.Spec.SecurityContext; len(created.Spec.InitContainers) > 0 || security == nil ||
				len(security.Sysctls) != 1 || security.Sysctls[0].Name != name {
				t.Errorf("the pod has the security context %v and %d init containers, want %s natively", security,
					len(created.Spec.InitContainers), name)
			}
		})
	}
}

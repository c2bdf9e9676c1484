package node_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/images"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// An ordinary init container and a sidecar record the values that they see at their start, and the app reads the
// records.
func TestSysctlsHoldBeforeInitContainersAndSidecars(t *testing.T) {
	t.Parallel()
	const notes = "/notes"
	namespace := makeNamespace(t, enrolled())
	mounts := []corev1.VolumeMount{{Name: "notes", MountPath: notes}}
	writes := func(name, then string) corev1.Container {
		return corev1.Container{
			Name: name, Image: images.Busybox, VolumeMounts: mounts,
			Command:         []string{"sh", "-c", "sysctl -n net.core.somaxconn >" + notes + "/" + name + then},
			SecurityContext: restrictedContainer(),
		}
	}
	sidecar := writes("sidecar", "; exec sleep infinity")
	sidecar.RestartPolicy = ptr.To(corev1.ContainerRestartPolicyAlways)
	pod := run(t, namespace, newPod("order", "net.core.somaxconn = 2048", func(pod *corev1.Pod) {
		pod.Spec.Volumes = []corev1.Volume{{Name: "notes",
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		pod.Spec.InitContainers = []corev1.Container{sidecar, writes("init", "")}
		pod.Spec.Containers[0].VolumeMounts = mounts
	}))
	if first := pod.Spec.InitContainers[0].Name; first != v1alpha1.ContainerName {
		t.Errorf("the first init container is %s", first)
	}
	for _, name := range []string{"sidecar", "init"} {
		if seen, err := inside(t, pod, app, "cat", notes+"/"+name); err != nil || seen != "2048" {
			t.Errorf("%s saw net.core.somaxconn = %s (%v), want 2048", name, seen, err)
		}
	}
	wantValues(t, pod, "sidecar", "net.core.somaxconn = 2048")
	wantUnprivileged(t, pod, "sidecar", ordinary(t))
}

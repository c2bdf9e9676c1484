package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/sysctl-injector/sysctl-injector/e2e/framework/installation"
	"github.com/sysctl-injector/sysctl-injector/e2e/framework/randompod"
	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

// newPod is a small pod that asks for the sysctls given, or for nothing.
func newPod(name, sysctls string) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx:1.29"}}},
	}
	if sysctls != "" {
		pod.Annotations = map[string]string{v1alpha1.SysctlsAnnotation: sysctls}
	}
	return pod
}

// injectedContainer is what the API server keeps of the injected container in a pod like this one.
func injectedContainer(pod *corev1.Pod, args ...string) corev1.Container {
	container := corev1.Container{
		Name: "sysctl-injector", Image: initImage, ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{"sysctl", "-w"}, Args: args,
		SecurityContext: &corev1.SecurityContext{
			Privileged: ptr.To(true), RunAsUser: ptr.To(int64(0)), RunAsGroup: ptr.To(int64(0)),
			RunAsNonRoot: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
			AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined},
		},
		TerminationMessagePath:   "/dev/termination-log",
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
	for _, volume := range pod.Spec.Volumes {
		if strings.HasPrefix(volume.Name, "kube-api-access-") {
			container.VolumeMounts = []corev1.VolumeMount{{Name: volume.Name, ReadOnly: true,
				MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}}
		}
	}
	return container
}

// stated is the injected container of a Guaranteed pod that states 100m and 32Mi or more.
func stated(container corev1.Container) corev1.Container {
	container.Resources = corev1.ResourceRequirements{Requests: randompod.Quantities("100m", "32Mi"),
		Limits: randompod.Quantities("100m", "32Mi")}
	return container
}

// wantInjected checks that the injected container is where it belongs, as it should be, and once; and that the pod has
// the label and the status.
func wantInjected(t *testing.T, pod *corev1.Pod, args ...string) {
	t.Helper()
	wantContainer(t, pod, injectedContainer(pod, args...))
}

func wantContainer(t *testing.T, pod *corev1.Pod, want corev1.Container) {
	t.Helper()
	if names := reservedNames(pod); len(names) != 1 || names[0] != "initContainers[0]" {
		t.Errorf("pod %s has the injected container at %v, want it once, at initContainers[0]", pod.Name, names)
		return
	}
	if diff := cmp.Diff(want, pod.Spec.InitContainers[0]); diff != "" {
		t.Errorf("pod %s: the injected container (-want +got):\n%s", pod.Name, diff)
	}
	if pod.Labels[v1alpha1.InjectedLabel] != "true" {
		t.Errorf("pod %s has the labels %v, want %s=true", pod.Name, pod.Labels, v1alpha1.InjectedLabel)
	}
	// With profiles, the status is longer.
	status, begins := pod.Annotations[v1alpha1.StatusAnnotation], strings.TrimSuffix(statusOf(v1alpha1.SharedKernel,
		want.Args), "}")
	if !strings.HasPrefix(status, begins) && pod.Spec.RuntimeClassName == nil {
		t.Errorf("pod %s: the status (-want +got):\n%s", pod.Name, cmp.Diff(begins, status))
	}
}

func statusOf(kernel v1alpha1.Kernel, args []string) string {
	form := map[v1alpha1.Kernel]string{v1alpha1.SharedKernel: "privileged", v1alpha1.GuestKernel: "guest"}[kernel]
	return fmt.Sprintf(`{"version":%q,"kernel":%q,"form":%q,"sysctls":["%s"]}`, installation.Version, kernel, form,
		strings.Join(args, `","`))
}

// wantUntouched checks that a pod carries nothing of ours.
func wantUntouched(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	if names := reservedNames(pod); len(names) > 0 {
		t.Errorf("pod %s has the injected container at %v, want none", pod.Name, names)
	}
	if value, found := pod.Labels[v1alpha1.InjectedLabel]; found {
		t.Errorf("pod %s has the label %s=%s, want none", pod.Name, v1alpha1.InjectedLabel, value)
	}
	if value, found := pod.Annotations[v1alpha1.StatusAnnotation]; found {
		t.Errorf("pod %s has the annotation %s=%s, want none", pod.Name, v1alpha1.StatusAnnotation, value)
	}
}

// reservedNames lists the places in a pod with containers of our name.
func reservedNames(pod *corev1.Pod) []string {
	var found []string
	for list, containers := range map[string][]corev1.Container{"initContainers": pod.Spec.InitContainers,
		"containers": pod.Spec.Containers} {
		for i, container := range containers {
			if container.Name == v1alpha1.ContainerName {
				found = append(found, fmt.Sprintf("%s[%d]", list, i))
			}
		}
	}
	return found
}

func initNames(pod *corev1.Pod) []string {
	var names []string
	for _, container := range pod.Spec.InitContainers {
		names = append(names, container.Name)
	}
	return names
}

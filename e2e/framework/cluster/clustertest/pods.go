package clustertest

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PodReady reports whether a pod has the condition Ready.
func PodReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Anonymous returns a copy of a pod without the fields that differ between any two pods, except its name.
func Anonymous(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	pod.Namespace, pod.UID, pod.CreationTimestamp, pod.ManagedFields = "", "", metav1.Time{}, nil
	RenameTokenVolume(pod)
	return pod
}

// RenameTokenVolume takes the random part out of the name of the volume that the API server adds to a pod.
func RenameTokenVolume(pod *corev1.Pod) {
	const prefix, fixed = "kube-api-access-", "kube-api-access"
	for i := range pod.Spec.Volumes {
		if strings.HasPrefix(pod.Spec.Volumes[i].Name, prefix) {
			pod.Spec.Volumes[i].Name = fixed
		}
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, container := range containers {
			for i := range container.VolumeMounts {
				if strings.HasPrefix(container.VolumeMounts[i].Name, prefix) {
					container.VolumeMounts[i].Name = fixed
				}
			}
		}
	}
}

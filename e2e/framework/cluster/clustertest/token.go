package clustertest

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

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

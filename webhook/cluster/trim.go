package cluster

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sysctl-injector/sysctl-injector/webhook/api/v1alpha1"
)

func namespaceMetadata() *metav1.PartialObjectMetadata {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return namespace
}

// keepLabels drops what is never asked of a namespace.
func keepLabels(object any) (any, error) {
	if namespace, ok := object.(*metav1.PartialObjectMetadata); ok {
		namespace.ObjectMeta = metav1.ObjectMeta{
			Name: namespace.Name, UID: namespace.UID, ResourceVersion: namespace.ResourceVersion, Labels: namespace.Labels,
		}
	}
	return object, nil
}

// keepNeeds keeps of an injected pod what its need of grants is decided by. The container that it has been given is not among it.
func keepNeeds(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	annotations := map[string]string{}
	for key, value := range pod.Annotations {
		if strings.HasPrefix(key, v1alpha1.GroupName+"/") {
			annotations[key] = value
		}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion, Annotations: annotations},
		Spec: corev1.PodSpec{
			ServiceAccountName: pod.Spec.ServiceAccountName, RuntimeClassName: pod.Spec.RuntimeClassName,
			HostNetwork: pod.Spec.HostNetwork, HostIPC: pod.Spec.HostIPC, HostUsers: pod.Spec.HostUsers,
		},
		Status: corev1.PodStatus{Phase: pod.Status.Phase},
	}, nil
}
